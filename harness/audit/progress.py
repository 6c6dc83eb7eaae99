"""Shows how an audit goes on: which cells are played, how many are left, how long it will take.

On a terminal a bar and the cells that are being played; elsewhere a line for each cell that is done. This
module must not know what the cells are about.
"""

import threading
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from harness.audit.results import Column, Result
from harness.audit.telling import STYLES, signs


class Showing:
    """A listener of `harness.audit.run` that shows what it hears, from `with` to its end."""

    def __init__(self, console: Console, subjects: int, cells: int) -> None:
        self._console = console
        self._total = subjects + cells
        self._done = 0
        self._now: list[str] = []
        self._lock = threading.Lock()
        self._bar = Progress(
            BarColumn(24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=self._total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def began(self, what: str) -> None:
        """Say that it is being played."""
        with self._lock:
            self._now.append(what)
            self._bar.update(self._task, description=", ".join(self._now))

    def ended(self, result: Result | Column) -> None:
        """Count it."""
        name = str(result.cell) if isinstance(result, Result) else result.name
        with self._lock:
            self._done += 1
            if name in self._now:
                self._now.remove(name)
            self._bar.update(self._task, advance=1, description=", ".join(self._now))
        if not self._console.is_terminal:
            self._console.print(self._line(result, name), soft_wrap=True)

    def _line(self, result: Result | Column, name: str) -> Text:
        text = Text(f"[{self._done}/{self._total}] {name}  ")
        if isinstance(result, Column):
            return text.append(result.problem.partition("\n")[0] or result.version)
        return text.append(f"{signs(result)} {result.verdict}", STYLES[result.verdict])
