"""What the terminal says when an audit is over: the matrix, the failures, the sum.

This module must not know how the audit was run.
"""

from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.audit.matrix import SIGNS, Matrix, matrices_of
from harness.audit.results import Audit, Result
from harness.scenarios.verdicts import Verdict

STYLES = {
    Verdict.PASS: "green",
    Verdict.NON_STRICT: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.INFO: "cyan",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.NOT_OBSERVED: "magenta",
}
_REASON_LENGTH = 300


def tell(audit: Audit, console: Console, *, strict: bool = False) -> None:
    """Print the matrix, then each failure in a few lines, then how many cells were found how."""
    for matrix in matrices_of(audit):
        console.print(_table(matrix, wide=console.width))
        console.print()
    console.print(_legend(), soft_wrap=True)
    for column in audit.columns:
        if column.problem:
            console.print(Text(f"\n{column.name} could not be tried", "bold red"))
            console.print(Text(f"  {column.problem}"), soft_wrap=True)
    for result in _worth_telling(audit, strict=strict):
        console.print()
        for line in _told(result):
            console.print(line, soft_wrap=True)
    console.print(Text(f"\n{sum_of(audit)}", "bold"), soft_wrap=True)


def sum_of(audit: Audit) -> str:
    """How many cells were found how, in one line."""
    counted = Counter(result.verdict for result in audit.results)
    told = [f"{counted[verdict]} {verdict}" for verdict in SIGNS if counted[verdict]]
    unstable = sum(result.is_unstable for result in audit.results)
    told += [f"{unstable} unstable"] if unstable else []
    rest = "" if audit.is_complete else f"; {audit.planned - len(audit.results)} not played"
    return f"{len(audit.results)} cells in {audit.seconds:.0f} s: {', '.join(told) or 'none'}{rest}"


def signs(result: Result) -> str:
    """Its two verdicts, behaviour and close, and ``~`` if its runs differ."""
    return f"{SIGNS[result.behaviour]}{SIGNS[result.close]}{'~' if result.is_unstable else ''}"


def _table(matrix: Matrix, wide: int) -> Table:
    # Twenty names in a row do not fit on a terminal: they are written at the side, and columns are numbered.
    numbered = sum(len(column.name) + 2 for column in matrix.columns) + 40 > wide
    table = Table(box=None, pad_edge=False, title_justify="left", title_style="bold")
    table.title = f"{matrix.kind}s"
    if numbered:
        names = (f"{number} {column.name}" for number, column in enumerate(matrix.columns, 1))
        table.title += f": {', '.join(names)}"
    table.add_column("")
    for number, column in enumerate(matrix.columns, 1):
        table.add_column(str(number) if numbered else column.name, justify="center", no_wrap=True)
    for group in matrix.groups:
        table.add_row(Text(group.title, "dim italic"))
        for row in group.rows:
            table.add_row(f"  {row.label}", *map(_shown, row.results))
    return table


def _shown(result: Result | None) -> Text:
    return Text(" ") if result is None else Text(signs(result), STYLES[result.verdict])


def _legend() -> Text:
    text = Text("first sign: data, answer, exit; second: how the connection ended  ", "dim")
    for verdict, sign in SIGNS.items():
        text.append(sign, STYLES[verdict]).append(f" {verdict}  ", "dim")
    return text.append("~ runs differ", "dim")


def _worth_telling(audit: Audit, *, strict: bool) -> Iterator[Result]:
    failed = audit.failures(strict=strict)
    yield from failed
    yield from (result for result in audit.results if result.is_unstable and result not in failed)


def _told(result: Result) -> Iterator[Text]:
    outcome = result.outcome
    yield Text(f"{SIGNS[result.verdict]} {result.cell}", STYLES[result.verdict])
    for name, judged in (("behaviour", outcome.behaviour), ("close", outcome.close)):
        if judged.verdict in {Verdict.FAIL, Verdict.NON_STRICT, Verdict.NOT_OBSERVED}:
            yield Text(f"  {name}: {_short(judged.reason)}")
    if result.is_unstable:
        runs = Counter(f"{each.behaviour.verdict}/{each.close.verdict}" for each in result.outcomes)
        yield Text("  unstable: " + ", ".join(f"{count} of {run}" for run, count in runs.items()))
    if result.repeat:
        yield Text(f"  {result.repeat}", "dim")


def _short(reason: str) -> str:
    line = reason.splitlines()[0] if reason else ""
    return line if len(line) <= _REASON_LENGTH else f"{line[:_REASON_LENGTH]} ..."
