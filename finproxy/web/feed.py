"""A feed: the newest of a series of items, numbered, for any number of readers at their own pace.

A reader has no queue of its own but a place in the ring: a slow one costs nothing, holds nobody up, and is
cut off once the ring is about to overtake it. This module must not know what an item is, nor HTTP.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Generic, TypeVar

import trio

T = TypeVar("T")

_LOOK_EVERY: Final = 256
"""Items between two looks at how far the readers are behind, at most."""
_MOST_BATCHES: Final = 16
"""Batches that are kept for the next reader: some who catch up, and those at the end with a filter each."""


@dataclass(slots=True, eq=False)
class FeedReader:
    """Somebody who follows a feed."""

    position: int
    """The number of the last item that was read."""
    cut_off: Callable[[str], None]
    """Called when it has fallen too far behind, with the reason."""


@dataclass(slots=True)
class Numbered(Generic[T]):
    """An item with its number."""

    number: int
    item: T
    encoded: bytes | None = field(default=None, repr=False)
    """Its JSON, made when the first reader asks for it."""


class Feed(Generic[T]):
    """The newest `capacity` items; `encode` makes the JSON of one, given its number, and `name` its kind."""

    def __init__(
        self,
        *,
        encode: Callable[[int, T], bytes],
        name: Callable[[T], str],
        capacity: int = 10_000,
    ) -> None:
        self.run = secrets.token_hex(4)
        """Tells this series from that of an earlier process, whose numbers mean something else."""
        self.newest = 0
        """The number of the last item; numbers begin with 1."""
        self.closed = False
        self.name = name
        self._encode = encode
        self._ring: deque[Numbered[T]] = deque(maxlen=capacity)
        self._furthest_behind = capacity // 2
        self._look_every = max(1, min(_LOOK_EVERY, capacity // 4))
        self._readers: set[FeedReader] = set()
        self._waiting = 0
        self._more = trio.Event()
        self._batches: dict[Any, tuple[int, bytes]] = {}

    @property
    def oldest(self) -> int:
        """The number of the oldest item that is still there; one more than the newest where none is."""
        return self.newest - len(self._ring) + 1

    @property
    def full(self) -> bool:
        """Whether the next item takes the place of the oldest."""
        return len(self._ring) == self._ring.maxlen

    @property
    def readers(self) -> int:
        """How many follow it."""
        return len(self._readers)

    @property
    def lag(self) -> int:
        """How many items the slowest reader is behind."""
        return max((self.newest - reader.position for reader in self._readers), default=0)

    def put(self, item: T) -> Numbered[T]:
        """Add an item; returns it with its number."""
        self.newest += 1
        numbered = Numbered(self.newest, item)
        self._ring.append(numbered)
        if self._batches:
            self._batches.clear()
        if self._waiting:
            self._more.set()
            self._more = trio.Event()
        if self.newest % self._look_every == 0:
            self._cut_off_the_slow()
        return numbered

    def after(self, position: int, most: int) -> list[Numbered[T]]:
        """The items after a position, oldest first; those that are not there any more are passed over."""
        waiting = min(self.newest - position, len(self._ring))
        if waiting <= most:  # the usual reader is close behind: from the new end it is not far
            return list(islice(reversed(self._ring), max(0, waiting)))[::-1]
        skip = len(self._ring) - waiting
        return list(islice(self._ring, skip, skip + most))

    def encoded(self, numbered: Numbered[T]) -> bytes:
        """The JSON of an item, made once for all readers."""
        if numbered.encoded is None:
            numbered.encoded = self._encode(numbered.number, numbered.item)
        return numbered.encoded

    def batch(
        self,
        position: int,
        most: int,
        render: Callable[[Feed[T], Numbered[T]], bytes],
        wanted: Callable[[T], bool] | None = None,
    ) -> tuple[int, bytes]:
        """The items after a position, rendered and put together, and the position behind them.

        Made once for all readers who are at the same place and whose `wanted` are equal: fifty readers would
        otherwise cost fifty times as much, and all of it is the time of whoever puts items in.
        """
        key = position, most, render, wanted
        if key in self._batches:
            return self._batches[key]
        found = self.after(position, most)
        parts = [render(self, one) for one in found if wanted is None or wanted(one.item)]
        batch = found[-1].number if found else position, b"".join(parts)
        if len(self._batches) < _MOST_BATCHES:
            self._batches[key] = batch
        return batch

    async def wait_for_more(self, position: int) -> None:
        """Wait until there is something after a position, or the feed is closed."""
        while self.newest <= position and not self.closed:
            self._waiting += 1
            try:
                await self._more.wait()
            finally:
                self._waiting -= 1

    def close(self) -> None:
        """End it for all readers."""
        self.closed = True
        self._more.set()

    def add_reader(self, reader: FeedReader) -> None:
        """Have an eye on how far this one is behind."""
        self._readers.add(reader)

    def remove_reader(self, reader: FeedReader) -> None:
        """Forget it."""
        self._readers.discard(reader)

    def _cut_off_the_slow(self) -> None:
        for reader in [r for r in self._readers if self.newest - r.position > self._furthest_behind]:
            self._readers.discard(reader)
            reader.cut_off(f"{self.newest - reader.position} records behind")
