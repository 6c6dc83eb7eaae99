"""Shows a walk: a line for each row as it comes, the drawing and the verdict; or all of it as JSON.

This module must not know how anything was done or judged; it is given outcomes and says them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import trio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from harness.demo.judging import EndSeen, Outcome, Status
from harness.demo.walking import TIME_WAIT, Waiting
from harness.drawing.diagram import Diagram
from harness.drawing.text import draw_text
from harness.ladders.ladder import format_duration

_STATE_WIDTH: Final = 13  # the longest closing state, ESTABLISHED, and a mark
_TIME_WIDTH: Final = 7
_WIDEST: Final = 110
_TICK: Final = 0.2


@dataclass(slots=True)
class Report:
    """What one run of the demo showed, from its first row to its last."""

    title: str
    technique: str
    why_last_resort: str
    ends: Mapping[str, Mapping[str, Any]]
    """By name of the end: its address, and the pid of its process where that is ours."""
    notes: Sequence[str]
    outcomes: list[Outcome] = field(default_factory=list)
    losses: Sequence[Mapping[str, Any]] = ()

    @property
    def ok(self) -> bool:
        """Whether every row that was waited for was observed."""
        return all(outcome.status is not Status.MISSED for outcome in self.outcomes)

    @property
    def sources(self) -> list[str]:
        """The sources that showed what was seen."""
        ends = (end for outcome in self.outcomes for end in (outcome.client, outcome.server))
        return sorted({end.seen_by for end in ends if end.seen_by})

    def as_dict(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "walk": self.title,
            "technique": self.technique,
            "why_last_resort": self.why_last_resort,
            "ends": self.ends,
            "sources": self.sources,
            "notes": list(self.notes),
            "rows": [_row(outcome) for outcome in self.outcomes],
            "losses": list(self.losses),
            "ok": self.ok,
        }


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "row": outcome.step.number,
        "told": outcome.step.told,
        "status": outcome.status.value,
        "at": None if outcome.at is None else round(outcome.at, 6),
        "client": _end(outcome.client),
        "server": _end(outcome.server),
        "reason": outcome.reason,
    }


def _end(end: EndSeen) -> dict[str, Any]:
    owner = end.owner
    return {
        "expected": end.expected.value,
        "observed": end.observed.value if end.observed else None,
        "seen_by": end.seen_by,
        "owner": {"pid": owner.pid, "program": owner.program} if owner else None,
    }


class Screen:
    """A report on a terminal, row by row, while the walk goes on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._plain = console.options.ascii_only
        self._width = min(console.width, _WIDEST)
        self._last_reason = ""
        self._addresses: Mapping[str, str] = {}

    def begin(self, report: Report) -> None:
        """Say what will be shown."""
        self._say(report.title, "bold")
        self._say(f"FINs are kept out by {report.technique}{_why(report)}", "dim")
        for note in report.notes:
            self._say(f"note: {note}", "dim")
        self._addresses = {name: str(end["address"]) for name, end in report.ends.items()}

    def row(self, outcome: Outcome) -> None:
        """Show a row; before the first, the head of the table with the owners that were found."""
        if outcome.step.number == 0:
            for name, end in (("client", outcome.client), ("server", outcome.server)):
                self._say(f"{name}: {end.owner or 'owner unknown'} at {self._addresses[name]}", "dim")
            self._console.print()
            self._print("row", "what is done", "client", "server", "at", style="bold")
        at = "" if outcome.at is None else format_duration(outcome.at)
        told = Text(outcome.step.told, style="dim" if outcome.status is Status.NOT_WAITED_FOR else "")
        self._print(
            str(outcome.step.number),
            told,
            self._cell(outcome, outcome.client),
            self._cell(outcome, outcome.server),
            at,
        )
        if outcome.reason and outcome.reason != self._last_reason:
            style = "red" if outcome.status is Status.MISSED else "dim"
            self._say(f"    {outcome.status}: {outcome.reason}", style)
        self._last_reason = outcome.reason

    def end(self, report: Report, diagram: Diagram | None) -> None:
        """Draw what was observed, and say how it went."""
        self._console.print()
        if diagram is not None:
            colour = self._console.is_terminal and not self._console.no_color
            drawn = draw_text(diagram, width=self._width, colour=colour, ascii_only=self._plain)
            self._console.file.write(drawn + "\n\n")
        if report.sources:
            self._say(f"states seen by {', '.join(report.sources)}", "dim")
        if report.losses:
            lost = ", ".join(f"{loss['leg']} {loss['bytes']} B" for loss in report.losses)
            self._say(f"lost, as meant: what the FINs waited behind ({lost})", "dim")
        self._say(_verdict(report), "bold green" if report.ok else "bold red")

    def hold(self, row: int) -> None:
        """Say that everything stays as it is, and how to look at it."""
        ports = " or ".join(f"sport = {address.rpartition(':')[2]}" for address in self._addresses.values())
        self._say(f"\nrow {row} is being held; look with: ss -tanp '( {ports} )'", "bold")
        self._say("Enter or Ctrl-C ends the demo")

    def say(self, text: str) -> None:
        """Print a line."""
        self._say(text)

    def _cell(self, outcome: Outcome, end: EndSeen) -> Text:
        if outcome.status is Status.NOT_WAITED_FOR:
            return Text(f"{'-' if self._plain else '·'} {end.expected}", style="dim")
        if end.ok:
            return Text(f"{'+' if self._plain else '✔'} {end.observed}", style="green")
        return Text(f"{'!' if self._plain else '✘'} {end.observed or 'not seen'}", style="red")

    def _print(self, *cells: str | Text, style: str = "") -> None:
        """Print one line of a table whose lines come one by one: the widths are fixed, not fitted."""
        widths = (
            3,
            self._width - 3 - 2 * _STATE_WIDTH - _TIME_WIDTH - 4,
            _STATE_WIDTH,
            _STATE_WIDTH,
            _TIME_WIDTH,
        )
        table = Table.grid(padding=(0, 1, 0, 0))
        for width, justify in zip(widths, ("right", "left", "left", "left", "right"), strict=True):
            table.add_column(width=width, justify=justify)  # type: ignore[arg-type]
        table.add_row(*cells)
        self._console.print(table, style=style, highlight=False)

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def _why(report: Report) -> str:
    return ", the one technique that needs no privilege" if report.why_last_resort else ""


def _verdict(report: Report) -> str:
    missed = [str(one.step.number) for one in report.outcomes if one.status is Status.MISSED]
    unwaited = [str(one.step.number) for one in report.outcomes if one.status is Status.NOT_WAITED_FOR]
    if missed:
        return f"not observed: {_rows(missed)}"
    rest = f"; {_rows(unwaited)} not waited for" if unwaited else ""
    return f"every row was observed at both ends{rest}"


def _rows(numbers: Sequence[str]) -> str:
    return f"row{'s' * (len(numbers) > 1)} {', '.join(numbers)}"


def wait_with_progress(console: Console) -> Waiting:
    """Return a way to wait out TIME-WAIT that shows a progress bar on a terminal."""

    async def waiting(wait: Callable[[float], Awaitable[None]], within: float) -> None:
        columns = TextColumn("     TIME-WAIT"), BarColumn(), TimeRemainingColumn()
        began = trio.current_time()
        with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
            task = progress.add_task("", total=TIME_WAIT)
            while (passed := trio.current_time() - began) < within:
                progress.update(task, completed=passed, refresh=True)
                with trio.move_on_after(_TICK) as tick:
                    await wait(within - passed)
                if not tick.cancelled_caught:
                    return

    return waiting
