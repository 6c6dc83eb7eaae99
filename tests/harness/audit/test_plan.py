from __future__ import annotations

import pytest

from harness.audit.plan import Cell, plan_cells
from harness.audit.reading import read_recipe
from harness.errors import UsageError
from harness.scenarios import scenarios_for

SERVER = read_recipe("mine", {"kind": "server", "command": "serve {port}"})
CLIENT = read_recipe("asker", {"kind": "client", "command": "ask {url}"})


def test_every_scenario_that_applies_is_a_cell() -> None:
    assert {cell.scenario for cell in plan_cells([SERVER])} == {each.name for each in scenarios_for("server")}


def test_values_that_are_worth_trying_are_cells_of_their_own() -> None:
    cells = plan_cells([SERVER], ["half-close-request"])
    assert [str(cell) for cell in cells] == [
        f"mine/half-close-request:answer_delay={delay}" for delay in ("0", "0.3", "1")
    ]


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("half-close-request", 3),
        ("half-close-request:answer_delay=0.3", 1),
        ("mine/half-close-request", 3),
        ("mine/half-close-request:answer_delay=0.3", 1),
        ("half-close-req*", 3),
        ("*/half-close-request", 3),
    ],
)
def test_only(pattern: str, count: int) -> None:
    assert len(plan_cells([SERVER, CLIENT], [pattern])) == count


def test_a_pattern_that_means_nothing_is_an_error_with_a_hint() -> None:
    with pytest.raises(UsageError, match="found 'half-close-requst'; did you mean 'half-close-request'"):
        plan_cells([SERVER], ["half-close-requst"])
    with pytest.raises(UsageError, match="expected a scenario that applies to what is audited"):
        plan_cells([CLIENT], ["half-close-request"])


def test_a_recipe_may_be_for_some_scenarios_only() -> None:
    table = {"kind": "server", "command": "serve {port}", "only": ["*-at-sigterm"]}
    cells = plan_cells([read_recipe("mine", table)])
    assert cells
    assert all(cell.scenario.endswith("-at-sigterm") for cell in cells)


def test_a_cell_is_named_by_subject_scenario_and_values() -> None:
    assert str(Cell("mine", "clean-client-close")) == "mine/clean-client-close"
    assert str(Cell("a", "b", (("x", 1.0), ("y", 0.5)))) == "a/b:x=1,y=0.5"
