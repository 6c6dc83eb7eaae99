"""Runs an audit: tries each subject, plays each cell as often as asked, and survives whatever they do.

This module must not know how anything is shown; who wants to know what goes on gives a `Listener`.
"""

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

import finproxy
from harness.audit.crew import Worker, WorkerLostError
from harness.audit.plan import Cell
from harness.audit.recipe import Recipe
from harness.audit.results import Audit, Column, Result
from harness.audit.worker import Crashed, Play, Tried, Try
from harness.knobs import Knob, read_knobs
from harness.scenarios import CATALOGUE, Outcome, find_scenario
from harness.scenarios.outcome import Evidence
from harness.scenarios.verdicts import not_observed

_TRIES_WITHIN = 150.0
_MARGIN = 30.0
"""Seconds beyond its bound before a play counts as hung."""
T = TypeVar("T")
R = TypeVar("R")


class Listener(Protocol):
    """Who is told what goes on."""

    def began(self, what: str) -> None:
        """A subject is tried, or a cell is played. Called on any thread."""

    def ended(self, result: Result | Column) -> None:
        """It is known what came of it. Called on the thread that runs the audit."""


@dataclass(frozen=True)
class Order:
    """What is to be done: the subjects, the cells, how often each and how many at once."""

    recipes: Sequence[Recipe]
    cells: Sequence[Cell]
    repeat: int = 1
    jobs: int = 1
    repeats_with: Callable[[Cell], str] = str
    """The command that repeats just this cell."""


class Auditor:
    """One audit. Ends its workers and removes its files, whatever happens."""

    def __init__(self, order: Order, listener: Listener, notes: Sequence[str] = ()) -> None:
        self._order = order
        self._notes = list(notes)
        self._listener = listener
        self._columns: dict[str, Column] = {}
        self._results: dict[Cell, Result] = {}
        self._knobs: tuple[Knob, ...] = ()
        self._workers: list[Worker] = []
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._is_ending = False

    def run(self) -> Audit:
        """Do all of it; interrupted (KeyboardInterrupt), end at once with what has been found by then."""
        began, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
        with self._folder() as folder:
            self._workers = [Worker(folder) for _ in range(self._order.jobs)]
            for worker in self._workers:
                self._idle.put(worker)
            try:
                self._try_all()
                self._play_all()
                self._is_ending = True
            except KeyboardInterrupt:
                self._notes.append("interrupted: cells without a verdict were not played")
            finally:
                for worker in self._workers:
                    worker.stop()
        return self._audit(began, time.monotonic() - clock)

    def interrupt(self) -> None:
        """What a signal handler calls: the first time `run` ends in order, the next time it kills.

        Raises:
            KeyboardInterrupt: the first time, while it plays; `run` expects it.

        """
        if not self._is_ending:
            self._is_ending = True
            raise KeyboardInterrupt
        for worker in self._workers:
            worker.kill()

    # --- in here ----------------------------------------------------------------------------------

    def _try_all(self) -> None:
        for recipe, column in self._spread(self._order.recipes, self._try_out):
            self._columns[recipe.name] = column
            self._listener.ended(column)

    def _play_all(self) -> None:
        for cell, result in self._spread(self._order.cells, self._play):
            self._results[cell] = result
            self._listener.ended(result)

    def _try_out(self, recipe: Recipe) -> Column:
        try:
            answer = self._ask(Try(recipe), _TRIES_WITHIN)
        except WorkerLostError as error:
            return Column(recipe, problem=f"it could not be tried: {error}")
        if isinstance(answer, Tried):
            self._knobs = answer.knobs
            return Column(recipe, answer.version, answer.problem)
        return Column(recipe, problem=_crash(answer))

    def _play(self, cell: Cell) -> Result:
        column = self._columns[cell.subject]
        if column.problem:
            outcomes = [_unseen(cell, column.recipe, column.problem)]
        else:
            outcomes = [self._play_once(cell, column.recipe) for _ in range(self._order.repeat)]
        return Result(cell, tuple(outcomes), self._order.repeats_with(cell))

    def _play_once(self, cell: Cell, recipe: Recipe) -> Outcome:
        bound = find_scenario(cell.scenario).bound + recipe.within + recipe.grace + recipe.patience
        try:
            answer = self._ask(Play(recipe, cell), bound + _MARGIN)
        except WorkerLostError as error:
            return _unseen(cell, recipe, f"the play was given up: {error}")
        return answer if isinstance(answer, Outcome) else _unseen(cell, recipe, _crash(answer))

    def _ask(self, task: Play | Try, within: float) -> Any:
        worker = self._idle.get()
        try:
            return worker.ask(task, within)
        finally:
            self._idle.put(worker)

    def _spread(self, items: Iterable[T], do: Callable[[T], R]) -> Iterator[tuple[T, R]]:
        """Do it for each item, as many at once as there are workers; results as they come."""

        def begin(item: T) -> R:
            self._listener.began(getattr(item, "name", str(item)))
            return do(item)

        with ThreadPoolExecutor(len(self._workers)) as pool:
            waiting: dict[Future[R], T] = {pool.submit(begin, item): item for item in items}
            try:
                for done in as_completed(waiting):
                    yield waiting[done], done.result()
            except BaseException:
                for worker in self._workers:
                    worker.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="finproxy-audit-"))
        folder.chmod(0o711)  # subjects that run as somebody else pass through
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _audit(self, began: str, seconds: float) -> Audit:
        played = {cell.scenario for cell in self._order.cells}
        return Audit(
            columns=[self._columns.get(each.name, Column(each)) for each in self._order.recipes],
            scenarios=[scenario for scenario in CATALOGUE if scenario.name in played],
            results=[self._results[cell] for cell in self._order.cells if cell in self._results],
            began=began,
            seconds=seconds,
            machine=_machine(),
            knobs=self._knobs or read_knobs(),
            planned=len(self._order.cells),
            notes=self._notes,
        )


def _crash(answer: object) -> str:
    if not isinstance(answer, Crashed):
        return f"the audit itself failed: its worker answered {answer!r}"
    return f"the audit itself failed: {answer.traceback.splitlines()[-1]}\n{answer.traceback}"


def _unseen(cell: Cell, recipe: Recipe, why: str) -> Outcome:
    """The outcome of a cell that could not be played: never a pass."""
    reason, _, output = why.partition("\n")
    return Outcome(
        scenario=cell.scenario,
        subject=recipe.kind,
        parameters=dict(cell.parameters),
        behaviour=not_observed(reason),
        close=not_observed(reason),
        evidence=Evidence(output=output),
        seconds=0.0,
    )


def _machine() -> dict[str, str]:
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "finproxy": finproxy.__version__,
        "processors": str(os.cpu_count()),
        "user": "root" if hasattr(os, "geteuid") and os.geteuid() == 0 else "not root",
    }
