"""The walks as data: they start open, end closed, and never ask an end for what TCP does not allow."""

from itertools import pairwise

import pytest

from harness.demo.walks import Step, Walk, half_close, simultaneous, table_154
from harness.ladders import TABLE_154
from harness.ladders.legal import is_legal
from harness.states import TcpState as S

WALKS = {
    "table": table_154(),
    "table mirrored": table_154(mirrored=True),
    "simultaneous": simultaneous(),
    "half-close": half_close(),
    "half-close mirrored": half_close(mirrored=True),
}
every_walk = pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)


def states(step: Step) -> tuple[S, S]:
    return step.client, step.server


def test_the_table_is_walked_row_by_row_after_both_ends_are_open() -> None:
    opened, *steps = table_154().steps

    assert states(opened) == (S.ESTABLISHED, S.ESTABLISHED)
    assert [states(step) for step in steps] == [row.after for row in TABLE_154]


def test_the_mirrored_table_exchanges_the_ends() -> None:
    mirrored = table_154(mirrored=True)

    assert [states(step)[::-1] for step in mirrored.steps] == [states(step) for step in table_154().steps]
    assert [act.end for step in mirrored.steps[1:5] for act in step.acts] == [
        "server",
        "server",
        "server",
        "client",
    ]


@every_walk
def test_a_walk_goes_from_open_to_closed_at_both_ends(walk: Walk) -> None:
    assert states(walk.steps[0]) == (S.ESTABLISHED, S.ESTABLISHED)
    assert states(walk.steps[-1]) == (S.CLOSED, S.CLOSED)
    assert [step.number for step in walk.steps] == list(range(len(walk.steps)))


@every_walk
def test_only_what_waits_out_time_wait_may_be_left_out(walk: Walk) -> None:
    for before, step in pairwise(walk.steps):
        if step.ends_time_wait:
            assert S.TIME_WAIT in states(before) or before.ends_time_wait
            assert not step.acts


@pytest.mark.parametrize("name", ["table", "table mirrored", "simultaneous"])
def test_in_lock_step_no_state_is_passed_over(name: str) -> None:
    for before, after in pairwise(WALKS[name].steps):
        for was, is_now in zip(states(before), states(after), strict=True):
            assert was is is_now or is_legal(was, is_now)
