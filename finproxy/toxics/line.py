"""A line: the stages that the bytes of one flow pass through, between the leg and the flow.

To the flow it looks like the leg: `receive_into` gives what has come out of the last stage, EOF or the loss
of the leg behind all of it, and nothing where nothing is due. So rules see bytes, FIN and RST when they come
out of the line, as if it were the network in front of the proxy. As the flow asks only when all before has
been passed on, what a toxic does behind some byte happens exactly there. This module must not know Trio,
sockets, rules or what an act leads to; whoever owns the line keeps the time and wakes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf
from typing import Final, Protocol

from ..legs import WOULD_BLOCK, Leg, LegIO, LegLost
from .in_force import InForce
from .stage import Act, End, Item, Stage
from .stages import make_stage

_MOST_ITEMS: Final = 32_768
"""Items that may wait in a line: each costs some hundred bytes, however few it carries."""

_READS_A_TURN: Final = 16
"""Reads in a row before others get their turn: a stage that loses bytes never runs out of room."""

_BUFFER: Final = memoryview(bytearray(256 * 1024))


class LineOwner(Protocol):
    """Whoever owns a line, and is told by it. Called from within `receive_into`."""

    def swallowed(self, line: Line, count: int, why: str) -> None:
        """A toxic has lost bytes that had come from the endpoint."""

    def acts(self, line: Line, act: Act) -> None:
        """All that was before this act has been passed on."""

    def wake(self, line: Line, when: float) -> None:
        """Have `receive_into` called at that time, instead of when it was asked for before."""

    def emptied(self, line: Line) -> None:
        """There is no stage any more and nothing left: the flow can do without the line."""


class Line:
    """Stages in a row, and what has come out of the last one."""

    def __init__(self, leg: Leg, source: LegIO, owner: LineOwner, clock: Callable[[], float]) -> None:
        self.leg = leg
        self._source = source
        self._owner = owner
        self._clock = clock
        self._stages: list[Stage] = []
        self._out: deque[Item] = deque()
        self._over = False
        """The end has been read."""
        self._opened = False
        """Everything passes at once."""
        self._wakes_at = inf
        self.held = 0
        """Bytes that have been read and not been passed on."""

    # --- for the flow -----------------------------------------------------------------------------

    @property
    def wants_read(self) -> bool:
        """Whether anything would be read if it were there."""
        return not self._over and self._room > 0

    def receive_into(self, buffer: memoryview) -> int:
        """Give what has come out: a count, 0 for EOF, or `WOULD_BLOCK`.

        Raises:
            LegLost: the loss of the leg has come out, behind all that was read before it.
        """
        if not self._out:
            more = self._fill()
            self.advance(self._clock())
            if not self._out:
                return self._nothing(buffer, more=more)
        head = self._out[0]
        if isinstance(head, Act):
            self._out.popleft()
            self._ask(self._clock())  # the act may have ended all: what is behind is for another turn
            self._owner.acts(self, head)
            return WOULD_BLOCK
        if isinstance(head, End):
            if head.lost:
                raise head.lost
            return 0
        return self._give(head, buffer)

    def open(self) -> None:
        """Let everything out, and let all that still comes pass at once: it does not matter any more when."""
        self._opened = True
        for stage in reversed(self._stages):
            self._out.extend(waiting.item for waiting in stage.waiting)
            stage.waiting.clear()

    def lose_all(self) -> int:
        """The leg is given up: how many bytes had not been passed on, and never will be."""
        lost, self.held = self.held, 0
        self._stages, self._over = [], True
        self._out.clear()
        return lost

    # --- for its owner ----------------------------------------------------------------------------

    @property
    def alarm(self) -> float:
        """When a stage wants to act though nothing moves."""
        return min((stage.alarm for stage in self._stages), default=inf)

    def ring(self) -> list[Act]:
        """What stages whose alarm is due do."""
        now = self._clock()
        due = [stage for stage in self._stages if stage.alarm <= now]
        return [act for stage in due if (act := stage.ring())]

    def change(self, wanted: Sequence[InForce], now: float) -> list[Act]:
        """Pass bytes through these toxics from now on; what those that are gone leave to be done.

        A toxic that was there goes on where it was; what one that is gone has kept is let go, in order.
        """
        self.advance(now)
        there = {stage.toxic.name: stage for stage in self._stages}
        stages = [self._go_on(there, each, now) for each in wanted]
        if not _in_order(stages, self._stages):
            stages = [make_stage(each, now) for each in wanted]
        acts = self._let_go(stages, now)
        self._stages = stages
        self._ask(now)
        return acts

    def advance(self, now: float) -> None:
        """Move on what is due."""
        for stage, following in pairwise([*self._stages, None]):
            assert stage
            while stage.due <= now:
                item, left_at = stage.take()
                self._hand(item, following, left_at)
            self._count_lost(stage)

    # --- at work ----------------------------------------------------------------------------------

    @property
    def _room(self) -> int:
        if self.held and sum(len(stage.waiting) for stage in self._stages) >= _MOST_ITEMS:
            return 0
        return sum(stage.room for stage in self._stages) - self.held

    def _fill(self) -> bool:
        """Read what there is, as far as there is room; True if it stopped for the sake of others."""
        for _ in range(_READS_A_TURN):
            if self._over or (room := self._room) <= 0:
                return False
            try:
                count = self._source.receive_into(_BUFFER[:room])
            except LegLost as lost:
                self._over = True
                self._enter(End(lost))
                return False
            if count == WOULD_BLOCK:
                return False
            if count == 0:
                self._over = True
                self._enter(End())
                return False
            self.held += count
            self._enter(bytes(_BUFFER[:count]))
        return True

    def _enter(self, item: Item) -> None:
        first = self._stages[0] if self._stages and not self._opened else None
        self._hand(item, first, self._clock())

    def _hand(self, item: Item, stage: Stage | None, at: float) -> None:
        if stage is None:
            self._out.append(item)
        else:
            stage.put(item, at)

    def _count_lost(self, stage: Stage) -> None:
        if lost := stage.lost:
            stage.lost = 0
            self.held -= lost
            self._owner.swallowed(self, lost, stage.toxic.name)

    def _nothing(self, buffer: memoryview, *, more: bool) -> int:
        if not self._stages and not self._over:
            self._owner.emptied(self)
            return self._source.receive_into(buffer)
        self._ask(self._clock() if more else min((stage.due for stage in self._stages), default=inf))
        return WOULD_BLOCK

    def _give(self, head: bytes | memoryview, buffer: memoryview) -> int:
        count = min(len(head), len(buffer))
        buffer[:count] = head[:count]
        if count < len(head):
            self._out[0] = memoryview(head)[count:]
        else:
            self._out.popleft()
        self.held -= count
        return count

    def _ask(self, when: float) -> None:
        if when < inf and when != self._wakes_at:
            self._wakes_at = when
            self._owner.wake(self, when)

    def woken(self) -> None:
        """The time that was asked for has come."""
        self._wakes_at = inf

    # --- at a change ------------------------------------------------------------------------------

    def _go_on(self, there: dict[str, Stage], wanted: InForce, now: float) -> Stage:
        stage = there.get(wanted.toxic.name)
        if stage is None or stage.toxic.type != wanted.toxic.type:
            return make_stage(wanted, now)
        stage.change(wanted.toxic, now)
        return stage

    def _let_go(self, staying: list[Stage], now: float) -> list[Act]:
        """Hand on what is in stages that do not stay, from the last to the first: it came in that order."""
        acts: list[Act] = []
        following: Stage | None = None
        for stage in reversed(self._stages):
            if stage in staying:
                following = stage
                continue
            for waiting in stage.waiting:
                self._hand(waiting.item, following, now)
            if act := stage.removed():
                acts.append(act)
            if following:
                self._count_lost(following)
        return acts


def _in_order(stages: list[Stage], before: list[Stage]) -> bool:
    """Whether those that stay follow each other as before: what is in them has to leave in order."""
    staying = [before.index(stage) for stage in stages if stage in before]
    return staying == sorted(staying)
