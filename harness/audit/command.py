"""What `finproxy audit` does, once its arguments are read: plan, run, tell, write the reports.

This module must not know how arguments are read, nor how a cell is played.
"""

import os
import shlex
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from rich.console import Console

from harness.audit.export import as_json, as_junit
from harness.audit.known import known_recipes
from harness.audit.page import draw_page
from harness.audit.plan import Cell, plan_cells
from harness.audit.progress import Showing
from harness.audit.recipe import Recipe
from harness.audit.results import Audit
from harness.audit.run import Auditor, Order
from harness.audit.telling import tell
from harness.errors import HarnessError, UsageError
from harness.scenarios import list_scenarios

_INTERRUPTED = b"\ninterrupted: the programs are being ended; once more, and they are killed\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line says beside the subjects."""

    only: tuple[str, ...] = ()
    strict: bool = False
    repeat: int = 1
    jobs: int = 1
    report: Path | None = None
    junit: Path | None = None
    json: Path | None = None
    chosen_by: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Subject to the arguments that choose it."""
    command: tuple[str, ...] = ()
    """What stands behind ``--`` on the command line."""


def run_audit(recipes: Sequence[Recipe], wishes: Wishes, notes: Sequence[str] = ()) -> int:
    """Audit these subjects; returns the exit code.

    Raises:
        UsageError: a pattern of `only` means nothing, two subjects have one name, or a report cannot be
            written: said before anything is started.

    """
    _check_names(recipes)
    cells = plan_cells(recipes, wishes.only)
    for path in _files(wishes):
        _check_writable(path)
    played = {cell.subject for cell in cells}
    tried = [recipe for recipe in recipes if recipe.name in played]
    console = Console(highlight=False)
    for note in notes:
        console.print(f"left out: {note}", style="dim", markup=False)
    order = Order(tried, cells, wishes.repeat, wishes.jobs, lambda cell: repeat_command(cell, wishes))
    showing = Showing(Console(stderr=True, highlight=False), len(tried), len(cells))
    auditor = Auditor(order, showing, notes)
    with _interrupts(auditor), showing:
        audit = auditor.run()
    tell(audit, console, strict=wishes.strict)
    write_reports(audit, wishes, console)
    return audit.exit_code(strict=wishes.strict)


def list_known(console: Console | None = None) -> int:
    """Print the recipes, with what is missing here, and the scenarios; returns an exit code."""
    out = console or Console(highlight=False)
    out.print("recipes (--known NAME ...)", style="bold")
    for group in known_recipes().values():
        for recipe in group:
            gone = recipe.missing()
            out.print(
                f"  {recipe.name:<24} {recipe.kind:<8} {'not installed: ' + ', '.join(gone) if gone else ''}",
                markup=False,
            )
    out.print("\nscenarios (--only NAME,...; --explain NAME)", style="bold")
    return list_scenarios(console=out)


def repeat_command(cell: Cell, wishes: Wishes) -> str:
    """The command that plays just this cell again."""
    words = ["finproxy", "audit", *wishes.chosen_by.get(cell.subject, ()), "--only", str(cell)]
    return shlex.join([*words, *(["--", *wishes.command] if wishes.command else [])])


def write_reports(audit: Audit, wishes: Wishes, console: Console) -> None:
    """Write what was asked for, and say where it is.

    Raises:
        HarnessError: a file cannot be written.

    """
    written = {
        wishes.json: as_json,
        wishes.report / "report.json" if wishes.report else None: as_json,
        wishes.junit: lambda audit: as_junit(audit, strict=wishes.strict),
        wishes.report / "index.html" if wishes.report else None: draw_page,
    }
    for path, draw in written.items():
        if path is None:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(draw(audit), encoding="utf-8")
        except OSError as error:
            raise HarnessError(f"{path}: cannot be written: {error.strerror}") from error
        console.print(f"wrote {path}", markup=False, soft_wrap=True)


def _files(wishes: Wishes) -> list[Path]:
    pages = [wishes.report / "index.html", wishes.report / "report.json"] if wishes.report else []
    return [*pages, *(path for path in (wishes.junit, wishes.json) if path)]


def _check_writable(path: Path) -> None:
    """Find out before an audit of minutes that its report cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _check_names(recipes: Sequence[Recipe]) -> None:
    names = [recipe.name for recipe in recipes]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"expected subjects of different names, found {name!r} twice; rename one")


@contextmanager
def _interrupts(auditor: Auditor) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the audit, the first in order, the second at once.

    The report of what was done is written in each case.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        os.write(2, _INTERRUPTED)  # not print: whoever is being interrupted may be printing
        auditor.interrupt()

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
