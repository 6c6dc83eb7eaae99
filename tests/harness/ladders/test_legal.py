from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.ladders.legal import LEGAL, is_legal, is_reachable, proven_between
from harness.states import TcpState as S

states = st.sampled_from(list(S))


def test_every_state_has_a_row_in_the_table() -> None:
    assert set(LEGAL) == set(S)


@pytest.mark.parametrize("state", [state for state in S if state is not S.CLOSED])
def test_a_reset_or_abort_closes_every_state(state: S) -> None:
    assert is_legal(state, S.CLOSED)


def test_nothing_is_reached_from_closed_because_another_connection_begins_there() -> None:
    reached = [state for state in S if state not in {S.CLOSED, S.LISTEN, S.SYN_SENT}]
    assert not any(is_legal(S.CLOSED, state) for state in reached)
    assert not is_reachable(S.TIME_WAIT, S.ESTABLISHED)
    assert not is_reachable(S.CLOSED, S.FIN_WAIT_1)


@pytest.mark.parametrize(
    ("before", "after", "proven"),
    [
        (S.ESTABLISHED, S.FIN_WAIT_2, (S.FIN_WAIT_1,)),
        (S.ESTABLISHED, S.LAST_ACK, (S.CLOSE_WAIT,)),
        (S.ESTABLISHED, S.CLOSING, (S.FIN_WAIT_1,)),
        (S.ESTABLISHED, S.TIME_WAIT, (S.FIN_WAIT_1,)),  # FIN-WAIT-2 or CLOSING: neither is proven
        (S.ESTABLISHED, S.CLOSED, ()),  # closed by FIN or by RST
        (S.CLOSE_WAIT, S.CLOSED, ()),
        (S.FIN_WAIT_1, S.FIN_WAIT_2, ()),
    ],
)
def test_only_states_on_every_legal_way_are_proven(before: S, after: S, proven: tuple[S, ...]) -> None:
    assert proven_between(before, after) == proven


@given(states, states)
def test_proven_states_lie_between_in_a_legal_order(before: S, after: S) -> None:
    way = (before, *proven_between(before, after), after)
    if is_reachable(before, after):
        assert all(is_reachable(a, b) for a, b in pairwise(way))
    else:
        assert len(way) == 2


@given(states, states)
def test_what_is_legal_is_reachable_by_one_connection(before: S, after: S) -> None:
    begins_anew = before is S.CLOSED
    assert is_reachable(before, after) or begins_anew or not is_legal(before, after)
