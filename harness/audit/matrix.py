"""The results as matrices, one for each kind of subject: scenarios by subject, grouped.

What the terminal and the page show alike. This module must not know how it is drawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.audit.results import Audit, Column, Result
from harness.scenarios import Scenario
from harness.scenarios.catalogue import GROUPS
from harness.scenarios.scenario import KINDS
from harness.scenarios.verdicts import Verdict

SIGNS = {
    Verdict.PASS: "✔",
    Verdict.NON_STRICT: "≈",
    Verdict.FAIL: "✘",
    Verdict.INFO: "i",
    Verdict.NOT_APPLICABLE: "·",
    Verdict.NOT_OBSERVED: "?",
}
"""A sign of its own for each verdict: nobody has to tell colours apart."""

MEANINGS = {
    Verdict.PASS: "it did what is right",
    Verdict.NON_STRICT: "it works, but misses what it should do",
    Verdict.FAIL: "it did what is wrong",
    Verdict.INFO: "nobody says what is right; what it did is reported",
    Verdict.NOT_APPLICABLE: "it cannot be brought into this situation",
    Verdict.NOT_OBSERVED: "it could not be seen here; this is no pass",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario with one set of values; a result for each column, None where it is not tried."""

    label: str
    scenario: Scenario
    values: str
    results: tuple[Result | None, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows about one thing."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """All subjects of a kind."""

    kind: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]


def matrices_of(audit: Audit) -> list[Matrix]:
    """A matrix for each kind that was audited: servers, clients, relays."""
    return [matrix for kind in KINDS if (matrix := _matrix(audit, kind)).columns]


def _matrix(audit: Audit, kind: str) -> Matrix:
    columns = tuple(column for column in audit.columns if column.recipe.kind == kind)
    names = [column.name for column in columns]
    mine = [result for result in audit.results if result.cell.subject in names]
    groups = (Group(title, tuple(_rows(mine, names, scenarios))) for title, scenarios in GROUPS.items())
    return Matrix(kind, columns, tuple(group for group in groups if group.rows))


def _rows(results: list[Result], columns: list[str], scenarios: tuple[Scenario, ...]) -> Iterator[Row]:
    for scenario in scenarios:
        of_it = [result for result in results if result.cell.scenario == scenario.name]
        by_row: dict[str, dict[str, Result]] = {}
        for result in of_it:
            by_row.setdefault(result.cell.row, {})[result.cell.subject] = result
        for label, found in by_row.items():
            values = label.partition(":")[2]
            yield Row(label, scenario, values, tuple(found.get(name) for name in columns))
