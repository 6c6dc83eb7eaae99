"""Tells the loss of a leg, once all that its endpoint had sent before it has been read and passed on.

A reset is seen at once, by whichever call meets it first, but it comes behind the bytes before it. This
module must not know rules, what a loss means to the session, nor how one shows on a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .delivery import Later
from .legs import Leg, LegIO, LegLost
from .relay import Flow


class LossWatch:
    """The lost legs of one session, each told once."""

    def __init__(
        self,
        legs: Mapping[Leg, LegIO],
        flows: Mapping[Leg, Flow],
        limit: float,
        *,
        move: Callable[[Flow], None],
        tell: Callable[[Leg, LegLost], None],
        later: Later,
    ) -> None:
        self._legs = legs
        self._flows = flows
        self._limit = limit
        """Seconds after which a loss is told though bytes before it still wait for room at their reader."""
        self._move = move
        self._tell = tell
        self._later = later
        self._told: set[Leg] = set()
        self._bounded: set[Leg] = set()

    def pursue(self, leg: Leg) -> None:
        """Tell it once all that came before it has been read, or cannot be passed on in time."""
        if leg in self._told:
            return
        flow = self._flows[leg]
        flow.paused = False  # there is no FIN left to keep out, and what came before the loss is still here
        self._move(flow)
        nobody_reads = self._legs[leg.other].lost is not None
        if flow.ended or flow.stopped or nobody_reads:
            self._tell_once(leg)
            if nobody_reads:  # nor does anybody read what came from there
                self._tell_once(leg.other)
        elif leg not in self._bounded:
            self._bound(leg)

    def _bound(self, leg: Leg) -> None:
        """Tell it in any case after a while: its reader may have room now and none later."""
        self._bounded.add(leg)

        def late() -> None:
            if self._flows[leg].waits_in_line:  # that takes as long as the toxics say, not as a reader likes
                self._bound(leg)
            else:
                self._tell_once(leg)

        self._later(("loss", leg), self._limit, late)

    def _tell_once(self, leg: Leg) -> None:
        lost = self._legs[leg].lost
        if lost and leg not in self._told:
            self._told.add(leg)
            self._tell(leg, lost)
