"""A subject's results in sentences: what it does wrong and when, and how much it does well.

This module must not know how they are shown.
"""

from collections.abc import Callable, Iterable, Iterator

from harness.audit.faults import FAULTS
from harness.audit.results import Audit, Column, Result
from harness.scenarios import find_scenario
from harness.scenarios.verdicts import Verdict

_Part = Callable[[Result], Verdict]


def summary_of(audit: Audit, column: Column) -> list[str]:
    """Sentences about one subject, the worst first."""
    if column.problem:
        return [f"could not be tried: {_first_line(column.problem)}"]
    results = audit.of(column)
    said = [*_wrong(results, Verdict.FAIL), *_wrong(results, Verdict.NON_STRICT)]
    said += [f"{result.cell.row}: its runs differ" for result in results if result.is_unstable]
    return [*said, _sum(results)]


def _wrong(results: Iterable[Result], verdict: Verdict) -> Iterator[str]:
    by_scenario: dict[str, list[Result]] = {}
    for result in results:
        by_scenario.setdefault(result.cell.scenario, []).append(result)
    for name, group in by_scenario.items():
        title = find_scenario(name).title
        fault = FAULTS.get(name, title) if verdict is Verdict.FAIL else title
        yield from _about(group, verdict, fault, lambda result: result.behaviour, "behaviour")
        yield from _about(group, verdict, f"closes badly ({title})", lambda result: result.close, "close")


def _about(group: list[Result], verdict: Verdict, fault: str, part: _Part, name: str) -> Iterator[str]:
    bad = [result for result in group if part(result) is verdict]
    if bad:
        judged = next(each for each in bad[-1].outcomes if getattr(each, name).verdict is verdict)
        yield f"{fault}{_when(bad, group)}: {_first_line(getattr(judged, name).reason)}"


def _when(bad: list[Result], all_of_it: list[Result]) -> str:
    """With which values, where it is not with all of them."""
    if len(bad) == len(all_of_it):
        return ""
    return f" (with {_values(bad)}, not with {_values(each for each in all_of_it if each not in bad)})"


def _values(results: Iterable[Result]) -> str:
    told = (
        " and ".join(f"{name} = {value:g}" for name, value in result.cell.parameters) for result in results
    )
    return " or ".join(told).replace("_", " ")


def _sum(results: list[Result]) -> str:
    passed = sum(result.verdict is Verdict.PASS for result in results)
    unseen = sum(result.verdict is Verdict.NOT_OBSERVED for result in results)
    moot = sum(result.verdict is Verdict.NOT_APPLICABLE for result in results)
    text = f"passes {passed} of {len(results) - moot} cells that apply"
    return text + (f"; {unseen} could not be observed" if unseen else "")


def _first_line(reason: str) -> str:
    return reason.splitlines()[0] if reason else ""
