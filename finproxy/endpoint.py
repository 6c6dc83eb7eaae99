"""What the engine knows of one endpoint: the state of its leg, and what became of the end of its flow.

This module must not know events or commands: the engine alone decides, this is what it decides on.
"""

from __future__ import annotations

from dataclasses import dataclass

from .legs import FlowEnd, Leg, Relayed
from .rulebook import InPlay
from .rules import Action
from .transitions import (
    FLOW_TRANSITIONS,
    LEG_TRANSITIONS,
    FlowAct,
    FlowState,
    IllegalTransitionError,
    LegAct,
    LegState,
)


@dataclass(slots=True)
class Kept:
    """The end of a flow that is being kept from the other endpoint."""

    by: InPlay
    since: float
    """Seconds since the session opened."""
    serial: int

    @property
    def action(self) -> Action:
        """The action that keeps it."""
        return self.by.rule.action


@dataclass(slots=True)
class Endpoint:
    """All that the engine knows of one endpoint: its leg, and the end of the flow that it sends."""

    leg: Leg
    leg_state: LegState = LegState.OPEN
    flow_state: FlowState = FlowState.FLOWING
    ended: FlowEnd = FlowEnd.OPEN
    told: Relayed = Relayed.NOTHING
    fin_asked: bool = False
    """A FIN was asked for in its name; it may still wait for room behind the last bytes."""
    kept: Kept | None = None
    kept_for: float = 0.0
    """Seconds for which its end was kept, as far as it has been let go."""
    armed: InPlay | None = None
    """What a moment or a request has laid down for the end, should it come."""
    kept_out: bool = False
    """Its FIN segment has arrived and is kept from being accepted: the endpoint waits for an ACK."""
    let_in: bool = False
    """Its FIN segment was let in: once it is received, it is passed on without asking the rules again."""
    lost_why: str = ""
    """Why the leg is lost, once it is."""
    abort_why: str | None = None
    """Why the leg is about to be reset, while what is due on it is still being delivered."""
    released: bool = False

    def move_leg(self, act: LegAct) -> None:
        """Take the step that the table of legs allows."""
        if (self.leg_state, act) not in LEG_TRANSITIONS:
            raise IllegalTransitionError(
                f"{act.value} on the {self.leg} leg, which is {self.leg_state.value}"
            )
        self.leg_state = LEG_TRANSITIONS[self.leg_state, act]

    def move_flow(self, act: FlowAct) -> None:
        """Take the step that the table of flows allows."""
        if (self.flow_state, act) not in FLOW_TRANSITIONS:
            raise IllegalTransitionError(
                f"{act.value} for the {self.leg}'s flow, which is {self.flow_state.value}"
            )
        self.flow_state = FLOW_TRANSITIONS[self.flow_state, act]

    def let_go(self, now: float) -> float:
        """Stop keeping the end, at `now`; returns the seconds for which it was kept."""
        kept_for = now - self.kept.since if self.kept else 0.0
        self.kept = None
        self.kept_for += kept_for
        return kept_for

    def kept_by(self, action: type[Action]) -> bool:
        """Whether its end is being kept by an action of this kind."""
        return self.kept is not None and isinstance(self.kept.action, action)

    @property
    def alive(self) -> bool:
        """Whether anything can still be sent to or heard from this endpoint."""
        return not self.released and self.leg_state is not LegState.ABORTED

    @property
    def noun(self) -> str:
        """How records call the end of this flow: ``fin`` or ``reset``."""
        return "reset" if self.ended in (FlowEnd.RESET, FlowEnd.FAILED) else "fin"

    @property
    def waiting(self) -> InPlay | None:
        """What is done to its end when it comes; None once it has come, or is not waited for any more."""
        flowing = self.flow_state is FlowState.FLOWING and not self.has_come
        return self.armed if flowing else None

    @property
    def has_come(self) -> bool:
        """Whether the end of its flow has come, if only as a segment that is kept out."""
        return self.kept_out or self.ended is not FlowEnd.OPEN
