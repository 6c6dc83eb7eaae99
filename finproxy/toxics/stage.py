"""A stage: what one toxic does to the bytes of one flow in one session; and what passes through stages.

A stage is handed items in order and lets them go in order, each at the time that it says is due. That time
is reckoned from when the item came, not from when somebody looked: a late look delays, and nothing adds up.
This module must not know legs, flows or the clock: the time is given to it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Any, Final, NamedTuple, TypeAlias

from ..legs import LegLost
from ..rules import Action
from .in_force import InForce
from .values import Toxic

ROOM: Final = 64 * 1024
"""Bytes that a stage holds where nothing says that it should hold more: about a socket's own buffer."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of the flow, behind all of its bytes: a FIN, or the loss of the leg."""

    lost: LegLost | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """What a toxic does to the session, once all before it has been passed on."""

    action: Action
    toxic: str


Data: TypeAlias = bytes | memoryview
Item: TypeAlias = Data | End | Act


class Waiting(NamedTuple):
    """An item in a stage."""

    came: float
    item: Item
    luck: float
    """In [0, 1), settled when it came: a later look must not change it."""


class Stage:
    """Lets everything go at once: all that `noop` does, and what the other kinds change."""

    def __init__(self, in_force: InForce, now: float) -> None:
        self.toxic: Toxic = in_force.toxic
        self.lost = 0
        """Bytes that it has lost and nobody has counted yet."""
        self.alarm = inf
        """When it wants to act though nothing moves."""
        self.waiting: deque[Waiting] = deque()
        self.chance = in_force.chance
        self.left_at = now
        """When the last one left: none leaves before the one in front."""
        self.begin(now)

    # --- what a line asks of it -------------------------------------------------------------------

    @property
    def due(self) -> float:
        """When the next item leaves, if nothing changes; never, where none waits."""
        return max(self.left_at, self.leaves(self.waiting[0])) if self.waiting else inf

    @property
    def room(self) -> int:
        """How many bytes may wait in it before nothing more is read."""
        return ROOM

    def put(self, item: Item, at: float) -> None:
        """Take what came at this time."""
        self.waiting.append(Waiting(at, item, 0.0))

    def take(self) -> tuple[Item, float]:
        """Let the next item go: what it is, and when it left."""
        self.left_at = self.due
        return self.waiting.popleft().item, self.left_at

    def change(self, toxic: Toxic, now: float) -> None:
        """Go on with other attributes: they hold for what waits, too, from when it came."""
        unchanged = toxic.attributes == self.toxic.attributes
        self.toxic = toxic
        if not unchanged:
            self.left_at = max(self.left_at, now)
            self.begin(now)

    def ring(self) -> Act | None:
        """Act, now that the alarm is due."""
        self.alarm = inf
        return None

    def removed(self) -> Act | None:
        """What is to be done to the session when the toxic is no more."""
        return None

    # --- what kinds change ------------------------------------------------------------------------

    @property
    def attributes(self) -> Any:
        """The attributes, of the kind that the stage is made for."""
        return self.toxic.attributes

    def begin(self, now: float) -> None:
        """The attributes hold from now on."""

    def leaves(self, head: Waiting) -> float:
        """When the item in front leaves, as far as others do not keep it."""
        return head.came


def is_data(item: Item) -> bool:
    """Whether it is bytes."""
    return not isinstance(item, End | Act)
