"""Waits until a peer has acknowledged all that was sent to it: no event tells, so somebody has to look.

This module must not know what the wait is for, nor how acknowledgement is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from .legs import Leg

_FIRST_LOOK: Final = 0.0005
_LONGEST_LOOK: Final = 0.05
"""Seconds between two looks: on loopback the first mostly suffices, a slow reader is looked at less often."""

Later = Callable[[object, float, Callable[[], None]], None]
"""Do something after some seconds, in place of what was asked for under the same key before."""


class DeliveryWatch:
    """The legs of one session whose peers have not acknowledged everything yet."""

    def __init__(
        self,
        now: Callable[[], float],
        has_arrived: Callable[[Leg], bool],
        *,
        delivered: Callable[[Leg], None],
        later: Later,
    ) -> None:
        self._now = now
        self._has_arrived = has_arrived
        self._delivered = delivered
        self._later = later
        self.awaited: dict[Leg, float] = {}
        """Until when each leg is waited for."""

    def wait_for(self, leg: Leg, limit: float) -> None:
        """Report `leg` as delivered once it is, or after `limit` seconds."""
        self.awaited[leg] = self._now() + limit
        self.look(leg)

    def look(self, leg: Leg, wait: float = _FIRST_LOOK) -> None:
        """Look now, if this leg is waited for; the next look comes `wait` seconds later."""
        if leg not in self.awaited:
            return
        if self._has_arrived(leg) or self._now() >= self.awaited[leg]:
            self.forget(leg)
            self._delivered(leg)
        else:
            again = partial(self.look, leg, min(2 * wait, _LONGEST_LOOK))
            self._later(("delivery", leg), wait, again)

    def forget(self, leg: Leg) -> None:
        """Wait for it no more."""
        self.awaited.pop(leg, None)
