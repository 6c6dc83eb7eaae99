"""A process that plays cells, one at a time, so that whatever happens to it costs one cell and no more.

It is asked through a pipe and answers through it; the audit's own process never runs a play. Where it may, it
lives in a network namespace of its own: cells that are played side by side meet no socket of each other. This
module must not know the plan.
"""

import os
import shutil
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from harness.audit.bench import PROGRAMS, Bench
from harness.audit.plan import Cell
from harness.audit.recipe import Recipe
from harness.audit.trying import try_out, version_of
from harness.background import Background
from harness.knobs import Knob, read_knobs
from harness.scenarios import Outcome, run_scenario
from harness.sources.own_network import enter_own_network


@dataclass(frozen=True, slots=True)
class Try:
    """Find out a subject's version, prepare it, and whether it starts and answers."""

    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Play:
    """Play a cell."""

    recipe: Recipe
    cell: Cell


@dataclass(frozen=True, slots=True)
class Tried:
    """What was found out. `problem` says why nothing can be played; `knobs` are those of this network."""

    version: str
    problem: str
    knobs: tuple[Knob, ...]


@dataclass(frozen=True, slots=True)
class Crashed:
    """The play raised what no play should."""

    traceback: str


Task = Try | Play
Answer = Tried | Outcome | Crashed


MARK = "FINPROXY_AUDIT_WORKER"
"""In the environment of all that a worker starts: what it leaves behind is found by it."""


def work(pipe: "Connection[Answer, Task]", folder: Path, mark: str) -> None:
    """Answer tasks until the pipe ends. `folder` is for files; subjects share what is prepared in it."""
    os.environ[MARK] = mark
    # The terminal sends it to all; the audit decides. Ignored in earnest, it would be by all subjects too.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, _leave)
    enter_own_network()
    background = Background()
    try:
        with suppress(EOFError, BrokenPipeError):
            while True:
                pipe.send(_answer(pipe.recv(), folder, background))
    finally:
        background.stop()


def _answer(task: Task, folder: Path, background: Background) -> Answer:
    own = folder / f"cell-{id(task):x}"
    try:
        with Bench(task.recipe, own, folder / f"shared-{task.recipe.name}") as bench:
            if isinstance(task, Try):
                values = {"python": sys.executable, "programs": str(PROGRAMS)}
                return Tried(version_of(task.recipe, values), try_out(bench), read_knobs())
            return run_scenario(task.cell.scenario, bench.subject(), background, **dict(task.cell.parameters))
    except Exception:
        return Crashed(traceback.format_exc())
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _leave(_number: int, _frame: object) -> NoReturn:
    """Unwind, so that the subject is ended as well."""
    raise SystemExit(1)
