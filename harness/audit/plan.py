"""Which cells there are: each scenario that applies to a subject, with each value that is tried.

    nginx/half-close-request:delay=0.3        a cell's name: subject, scenario, and what is not the default

This module must not know how a cell is played.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import finproxy
from harness.audit.recipe import Recipe
from harness.errors import UsageError
from harness.scenarios import CATALOGUE, Scenario


@dataclass(frozen=True, slots=True)
class Cell:
    """One subject in one scenario, with values for the scenario's parameters that are tried."""

    subject: str
    scenario: str
    parameters: tuple[tuple[str, float], ...] = ()

    @property
    def values(self) -> str:
        """The values that are tried, as its name has them."""
        return ",".join(f"{name}={value:g}" for name, value in self.parameters)

    @property
    def row(self) -> str:
        """What it shares with other subjects: the scenario and the values."""
        return f"{self.scenario}:{self.values}" if self.parameters else self.scenario

    def __str__(self) -> str:
        return f"{self.subject}/{self.row}"

    def matches(self, pattern: str) -> bool:
        """Whether a pattern means it: a scenario, a row, a subject, or all of its name; with wildcards."""
        names = (self.scenario, self.row, f"{self.subject}/{self.scenario}", str(self))
        return any(fnmatchcase(name, pattern) for name in names)


def plan_cells(recipes: Iterable[Recipe], only: Sequence[str] = ()) -> list[Cell]:
    """All cells in the order of the catalogue, subject by subject; with `only`, those that a pattern means.

    Raises:
        UsageError: a pattern means nothing, or nothing is left to play.

    """
    recipes = list(recipes)
    cells = [
        cell
        for recipe in recipes
        for scenario in CATALOGUE
        if recipe.kind in scenario.subjects
        for cell in _cells(recipe, scenario)
        if not recipe.only or any(map(cell.matches, recipe.only))
    ]
    for pattern in only:
        _check(pattern, cells)
    chosen = [cell for cell in cells if not only or any(map(cell.matches, only))]
    if not chosen:
        raise UsageError("expected subjects that some scenario applies to, found none")
    return chosen


def _cells(recipe: Recipe, scenario: Scenario) -> Iterable[Cell]:
    tried = [
        [(parameter.name, value) for value in parameter.tried]
        for parameter in scenario.parameters
        if parameter.tried
    ]
    return (Cell(recipe.name, scenario.name, values) for values in itertools.product(*tried))


def _check(pattern: str, cells: Sequence[Cell]) -> None:
    if not any(cell.matches(pattern) for cell in cells):
        names = list(dict.fromkeys(cell.scenario for cell in cells))
        hint = finproxy.did_you_mean(pattern, names)
        raise UsageError(
            f"--only: expected a scenario that applies to what is audited ({', '.join(names)}), "
            f"found {pattern!r}{hint}"
        )
