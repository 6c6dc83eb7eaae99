"""The stage of each kind of toxic.

`slow_close` and `fin` have none: they concern the end of a flow only, and are rules (in_force.py). Where a
kind ends a session it says so by an action of the rules, which the engine carries out. This module must not
know what stands before or behind a stage (line.py).
"""

from __future__ import annotations

from math import inf
from typing import Final

from ..rules import FullClose, SendReset
from . import values
from .in_force import InForce
from .stage import ROOM, Act, End, Item, Stage, Waiting, is_data
from .values import Attributes

_LONG: Final = 4 * 1024 * 1024
"""Latency times bandwidth has to fit into a stage: 4 MiB are 320 Mbit/s for 100 ms."""

_PIECE_SECONDS: Final = 0.02
"""What leaves at a limited rate is cut into pieces of this length: shorter ones cost, longer ones jerk."""
_LARGEST_PIECE: Final = 256 * 1024
_PIECES_AHEAD: Final = 4
"""How many pieces are read ahead, so that a late look finds something that can have left meanwhile."""


class _Latency(Stage):
    """Bytes leave later; the end right behind them."""

    attributes: values.Latency

    @property
    def room(self) -> int:
        return _LONG

    def put(self, item: Item, at: float) -> None:
        self.waiting.append(Waiting(at, item, self.chance() if is_data(item) else 0.0))

    def leaves(self, head: Waiting) -> float:
        if not is_data(head.item):
            return head.came
        jitter = (2 * head.luck - 1) * max(0, self.attributes.jitter)
        return head.came + max(0.0, max(0, self.attributes.latency) + jitter) / 1000


class _Cutting(Stage):
    """Lets bytes go in pieces."""

    def piece(self) -> int:
        """How many bytes the next piece has, at least 1."""
        raise NotImplementedError

    def take(self) -> tuple[Item, float]:
        head = self.waiting[0]
        self.left_at = self.due
        if isinstance(head.item, End | Act) or len(head.item) <= (size := self.piece()):
            return self.waiting.popleft().item, self.left_at
        self.waiting[0] = head._replace(item=memoryview(head.item)[size:])
        return head.item[:size], self.left_at


class _Bandwidth(_Cutting):
    """A piece leaves when the line would have transmitted the last of it, one after the other."""

    attributes: values.Bandwidth

    @property
    def room(self) -> int:
        return min(_LONG, max(ROOM, _PIECES_AHEAD * self.piece()))

    def piece(self) -> int:
        return min(_LARGEST_PIECE, max(1, int(self._bytes_a_second * _PIECE_SECONDS)))

    def leaves(self, head: Waiting) -> float:
        if isinstance(head.item, End | Act):
            return head.came
        if self._bytes_a_second <= 0:
            return inf
        size = min(len(head.item), self.piece())
        return max(head.came, self.left_at) + size / self._bytes_a_second

    @property
    def _bytes_a_second(self) -> int:
        return self.attributes.rate * 1000


class _Slicer(_Cutting):
    """Pieces of random sizes, some time apart."""

    attributes: values.Slicer
    _next_from = 0.0
    """When the next piece may leave, after the one before."""

    def begin(self, now: float) -> None:
        self._next_from = now
        self._size = self._draw()

    def piece(self) -> int:
        return self._size

    def leaves(self, head: Waiting) -> float:
        return max(head.came, self._next_from) if is_data(head.item) else head.came

    def take(self) -> tuple[Item, float]:
        taken = super().take()
        if is_data(taken[0]) and self._slices:
            self._next_from = self.left_at + max(0, self.attributes.delay) / 1_000_000
            self._size = self._draw()
        return taken

    @property
    def _slices(self) -> bool:
        return self.attributes.average_size > 0

    def _draw(self) -> int:
        if not self._slices:
            return 2**63
        variation = max(0, self.attributes.size_variation)
        return max(1, self.attributes.average_size + round((2 * self.chance() - 1) * variation))


class _Timeout(Stage):
    """Loses bytes; ends both flows when none have come for a while, or when it is removed."""

    attributes: values.Timeout

    def begin(self, now: float) -> None:
        self.alarm = now + self.attributes.timeout / 1000 if self.attributes.timeout > 0 else inf

    def put(self, item: Item, at: float) -> None:
        if isinstance(item, End | Act):
            self.alarm = inf
            super().put(item, at)
        else:
            self.lost += len(item)
            self.begin(at)

    def ring(self) -> Act:
        self.alarm = inf
        return Act(FullClose(), self.toxic.name)

    def removed(self) -> Act:
        return self.ring()


class _ResetPeer(Stage):
    """Nothing leaves, and after a while both legs are reset, whether anything has come or not."""

    attributes: values.ResetPeer

    def begin(self, now: float) -> None:
        self.alarm = now + max(0, self.attributes.timeout) / 1000

    def leaves(self, head: Waiting) -> float:  # noqa: ARG002
        return inf

    def ring(self) -> Act:
        self.alarm = inf
        return Act(SendReset(), self.toxic.name)


class _LimitData(Stage):
    """Passes so many bytes, then ends both flows; loses what comes after."""

    attributes: values.LimitData
    _passed = 0
    _ended = False

    def put(self, item: Item, at: float) -> None:
        if isinstance(item, End | Act):
            super().put(item, at)
            return
        passing = item[: self._left]
        if passing:
            super().put(passing, at)
        self._passed += len(passing)
        self.lost += len(item) - len(passing)
        if self._left == 0 and not self._ended:
            self._ended = True
            super().put(Act(FullClose(), self.toxic.name), at)

    @property
    def _left(self) -> int:
        return 0 if self._ended else max(0, self.attributes.bytes - self._passed)


_STAGES: Final[dict[type[Attributes], type[Stage]]] = {
    values.Noop: Stage,
    values.Latency: _Latency,
    values.Bandwidth: _Bandwidth,
    values.Slicer: _Slicer,
    values.Timeout: _Timeout,
    values.ResetPeer: _ResetPeer,
    values.LimitData: _LimitData,
}


def has_stage(in_force: InForce) -> bool:
    """Whether a toxic does anything to bytes."""
    return type(in_force.toxic.attributes) in _STAGES


def make_stage(in_force: InForce, now: float) -> Stage:
    """The stage of a toxic that has one, from now on."""
    return _STAGES[type(in_force.toxic.attributes)](in_force, now)
