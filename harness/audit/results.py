"""What an audit has found: its subjects, its cells with the outcome of each run, and the whole.

Values only. This module must not know how they came about, nor how they are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.audit.plan import Cell
from harness.audit.recipe import Recipe
from harness.knobs import Knob
from harness.scenarios import Outcome, Scenario
from harness.scenarios.verdicts import Verdict, worst


@dataclass(frozen=True, slots=True)
class Column:
    """A subject, what is known of it, and why it could not be tried if so."""

    recipe: Recipe
    version: str = ""
    problem: str = ""

    @property
    def name(self) -> str:
        """Its name."""
        return self.recipe.name


@dataclass(frozen=True)
class Result:
    """A cell with the outcome of each of its runs, and the command that repeats just it."""

    cell: Cell
    outcomes: tuple[Outcome, ...]
    repeat: str = ""

    @cached_property
    def verdict(self) -> Verdict:
        """The worst of all runs."""
        return worst(*(outcome.verdict for outcome in self.outcomes))

    @property
    def behaviour(self) -> Verdict:
        """The worst that was found of data, answers and exit."""
        return worst(*(outcome.behaviour.verdict for outcome in self.outcomes))

    @property
    def close(self) -> Verdict:
        """The worst that was found of how the connections ended."""
        return worst(*(outcome.close.verdict for outcome in self.outcomes))

    @property
    def is_unstable(self) -> bool:
        """Whether its runs differ."""
        return len({(each.behaviour.verdict, each.close.verdict) for each in self.outcomes}) > 1

    @property
    def outcome(self) -> Outcome:
        """The run that the verdict is taken from."""
        return next(outcome for outcome in self.outcomes if outcome.verdict is self.verdict)


@dataclass(frozen=True)
class Audit:
    """All that was found, complete or not."""

    columns: Sequence[Column]
    scenarios: Sequence[Scenario]
    """Those of its cells, in the order of the catalogue."""
    results: Sequence[Result]
    began: str
    """Date and time, ISO 8601."""
    seconds: float
    machine: dict[str, str]
    knobs: Sequence[Knob]
    planned: int
    """How many cells there were to be; more than results if it was interrupted."""
    notes: Sequence[str] = field(default=())
    """What was left out, and why."""

    @property
    def is_complete(self) -> bool:
        """Whether all cells were played."""
        return len(self.results) == self.planned

    def failures(self, *, strict: bool = False) -> list[Result]:
        """The cells that failed; with `strict`, also those that missed a SHOULD."""
        bad = {Verdict.FAIL, Verdict.NON_STRICT} if strict else {Verdict.FAIL}
        return [result for result in self.results if result.verdict in bad]

    def of(self, column: Column) -> list[Result]:
        """The cells of a subject."""
        return [result for result in self.results if result.cell.subject == column.name]

    def exit_code(self, *, strict: bool = False) -> int:
        """0 if nothing failed, 1 if something did, 2 if nothing did but a subject could not be tried."""
        if self.failures(strict=strict):
            return 1
        return 2 if any(column.problem for column in self.columns) or not self.is_complete else 0
