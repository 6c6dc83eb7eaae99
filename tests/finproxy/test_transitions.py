from __future__ import annotations

import itertools

import pytest

from finproxy.endpoint import Endpoint
from finproxy.legs import Leg
from finproxy.transitions import (
    FLOW_TRANSITIONS,
    LEG_TRANSITIONS,
    FlowAct,
    FlowState,
    IllegalTransitionError,
    LegAct,
    LegState,
)

LEG_STEPS = list(itertools.product(LegState, LegAct))
FLOW_STEPS = list(itertools.product(FlowState, FlowAct))


@pytest.mark.parametrize(("state", "act"), LEG_STEPS, ids=lambda value: value.value)
def test_a_leg_takes_the_steps_of_the_table_and_no_others(state: LegState, act: LegAct) -> None:
    end = Endpoint(Leg.CLIENT, leg_state=state)
    if (state, act) in LEG_TRANSITIONS:
        end.move_leg(act)
        assert end.leg_state is LEG_TRANSITIONS[state, act]
    else:
        with pytest.raises(
            IllegalTransitionError, match=f"{act.value} on the client leg, which is {state.value}"
        ):
            end.move_leg(act)
        assert end.leg_state is state


@pytest.mark.parametrize(("state", "act"), FLOW_STEPS, ids=lambda value: value.value)
def test_a_flow_takes_the_steps_of_the_table_and_no_others(state: FlowState, act: FlowAct) -> None:
    end = Endpoint(Leg.SERVER, flow_state=state)
    if (state, act) in FLOW_TRANSITIONS:
        end.move_flow(act)
        assert end.flow_state is FLOW_TRANSITIONS[state, act]
    else:
        with pytest.raises(
            IllegalTransitionError, match=f"{act.value} for the server's flow, which is {state.value}"
        ):
            end.move_flow(act)
        assert end.flow_state is state


def test_a_leg_ends_each_direction_once() -> None:
    for act in (LegAct.FIN_RECEIVED, LegAct.FIN_SENT):
        for state in LegState:
            following = LEG_TRANSITIONS.get((state, act))
            assert (following, act) not in LEG_TRANSITIONS


def test_an_aborted_leg_is_the_end() -> None:
    assert not [step for step in LEG_TRANSITIONS if step[0] is LegState.ABORTED]


@pytest.mark.parametrize("start", LegState)
def test_every_leg_state_can_be_reached(start: LegState) -> None:
    assert start is LegState.OPEN or start in LEG_TRANSITIONS.values()


def test_no_flow_goes_back_to_having_nothing_to_tell() -> None:
    assert FlowState.FLOWING not in FLOW_TRANSITIONS.values()


def test_nothing_is_told_that_was_not_being_told() -> None:
    assert {state for (state, _), to in FLOW_TRANSITIONS.items() if to is FlowState.TOLD} == {
        FlowState.TELLING
    }
