"""A subject's results in sentences: what it does well, and what it does wrong and when.

This module must not know how they are shown.
"""

from collections.abc import Iterable, Iterator

from harness.audit.results import Audit, Column, Result
from harness.scenarios import find_scenario
from harness.scenarios.verdicts import Verdict


def summary_of(audit: Audit, column: Column) -> list[str]:
    """Sentences about one subject, the worst first."""
    if column.problem:
        return [f"could not be tried: {column.problem.partition(chr(10))[0]}"]
    results = audit.of(column)
    said = [*_about(results, Verdict.FAIL), *_about(results, Verdict.NON_STRICT)]
    said += [f"{result.cell.row}: its runs differ" for result in results if result.is_unstable]
    return [*said, _sum(results)]


def _about(results: Iterable[Result], verdict: Verdict) -> Iterator[str]:
    by_scenario: dict[str, list[Result]] = {}
    for result in results:
        by_scenario.setdefault(result.cell.scenario, []).append(result)
    for name, group in by_scenario.items():
        bad = [result for result in group if result.verdict is verdict]
        if bad:
            title = find_scenario(name).title
            yield f"{title}{_when(bad, group)}: {_first_line(bad[-1].outcome.reason)}"


def _when(bad: list[Result], all_of_it: list[Result]) -> str:
    """With which values, where it is not with all of them."""
    if len(bad) == len(all_of_it):
        return ""
    return f" ({_values(bad)}, though not {_values(x for x in all_of_it if x not in bad)})"


def _values(results: Iterable[Result]) -> str:
    told = [
        " and ".join(f"{name} {value:g} s" for name, value in result.cell.parameters) for result in results
    ]
    return " or ".join(told).replace("_", " ")


def _sum(results: list[Result]) -> str:
    passed = sum(result.verdict is Verdict.PASS for result in results)
    unseen = sum(result.verdict is Verdict.NOT_OBSERVED for result in results)
    moot = sum(result.verdict is Verdict.NOT_APPLICABLE for result in results)
    text = f"passes {passed} of {len(results) - moot} cells that apply"
    return text + (f"; {unseen} could not be observed" if unseen else "")


def _first_line(reason: str) -> str:
    return reason.splitlines()[0] if reason else ""
