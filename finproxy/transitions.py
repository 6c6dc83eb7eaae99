"""The two transition tables of the engine: of a leg, and of the end of a flow.

All knowledge of what may follow what lives here; a pair that no table names is a defect of whoever
reports it. This module must not know rules, events or commands.
"""

from __future__ import annotations

import enum

from .errors import FinproxyError


class IllegalTransitionError(FinproxyError):
    """The engine was told something that cannot follow what it was told before: a defect of the shell."""


class _Word(enum.Enum):
    """A word of the tables; compared and hashed by identity (see `Leg`)."""

    __hash__ = object.__hash__


class LegState(_Word):
    """What a process can know of its own leg."""

    OPEN = "open"
    PEER_DONE = "peer done"
    """The endpoint's FIN was received."""
    WE_DONE = "we are done"
    """Our FIN was sent."""
    CLOSED = "closed"
    """Both."""
    ABORTED = "aborted"
    """Reset, by either side, or given up by the kernel."""


class LegAct(_Word):
    """What moves a leg from one state to the next."""

    FIN_RECEIVED = "FIN received"
    FIN_SENT = "FIN sent"
    LOST = "lost"


LEG_TRANSITIONS: dict[tuple[LegState, LegAct], LegState] = {
    (LegState.OPEN, LegAct.FIN_RECEIVED): LegState.PEER_DONE,
    (LegState.OPEN, LegAct.FIN_SENT): LegState.WE_DONE,
    (LegState.WE_DONE, LegAct.FIN_RECEIVED): LegState.CLOSED,
    (LegState.PEER_DONE, LegAct.FIN_SENT): LegState.CLOSED,
    (LegState.OPEN, LegAct.LOST): LegState.ABORTED,
    (LegState.PEER_DONE, LegAct.LOST): LegState.ABORTED,
    (LegState.WE_DONE, LegAct.LOST): LegState.ABORTED,
    # A reset can still meet a leg on which both FINs have passed but ours is not acknowledged yet.
    (LegState.CLOSED, LegAct.LOST): LegState.ABORTED,
}


class FlowState(_Word):
    """What became of the end of one endpoint's flow."""

    FLOWING = "flowing"
    """There is nothing to tell yet."""
    KEPT = "kept"
    """The end has come, and a rule keeps it from the other endpoint."""
    TELLING = "telling"
    """The other endpoint is being told, behind the last of the bytes."""
    TOLD = "told"
    DROPPED = "dropped"
    """The other endpoint will never be told, or is no longer there to be told."""


class FlowAct(_Word):
    """What moves a flow from one state to the next."""

    KEEP = "keep"
    TELL = "tell"
    TOLD = "told"
    DROP = "drop"


FLOW_TRANSITIONS: dict[tuple[FlowState, FlowAct], FlowState] = {
    (FlowState.FLOWING, FlowAct.KEEP): FlowState.KEPT,
    (FlowState.FLOWING, FlowAct.TELL): FlowState.TELLING,
    (FlowState.FLOWING, FlowAct.DROP): FlowState.DROPPED,
    (FlowState.KEPT, FlowAct.KEEP): FlowState.KEPT,
    (FlowState.KEPT, FlowAct.TELL): FlowState.TELLING,
    (FlowState.KEPT, FlowAct.DROP): FlowState.DROPPED,
    (FlowState.TELLING, FlowAct.TOLD): FlowState.TOLD,
    # A reset overtakes the telling of a FIN, is kept, or finds nobody left to be told.
    (FlowState.TELLING, FlowAct.TELL): FlowState.TELLING,
    (FlowState.TELLING, FlowAct.KEEP): FlowState.KEPT,
    (FlowState.TELLING, FlowAct.DROP): FlowState.DROPPED,
    # The FIN that was being told can leave while the reset that followed it is kept, or after it was dropped.
    (FlowState.KEPT, FlowAct.TOLD): FlowState.KEPT,
    (FlowState.DROPPED, FlowAct.TOLD): FlowState.DROPPED,
    # A flow whose FIN was told or dropped can still be reset, and that is a second thing to tell.
    (FlowState.TOLD, FlowAct.TELL): FlowState.TELLING,
    (FlowState.TOLD, FlowAct.KEEP): FlowState.KEPT,
    (FlowState.TOLD, FlowAct.DROP): FlowState.DROPPED,
    (FlowState.DROPPED, FlowAct.TELL): FlowState.TELLING,
    (FlowState.DROPPED, FlowAct.KEEP): FlowState.KEPT,
    (FlowState.DROPPED, FlowAct.DROP): FlowState.DROPPED,
}
