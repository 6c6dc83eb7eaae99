"""Many deadlines, one task: cheaper than a sleeping task for each, and exact under Trio's test clock.

This module must not know what its callbacks do.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable

import trio


class Deadline:
    """A call that is due at some time, unless it is cancelled before."""

    __slots__ = ("_callback", "_timers")

    def __init__(self, timers: Timers, callback: Callable[[], None]) -> None:
        self._timers = timers
        self._callback: Callable[[], None] | None = callback

    @property
    def pending(self) -> bool:
        """Whether it has neither been called nor cancelled."""
        return self._callback is not None

    def cancel(self) -> None:
        """Forget the call; what it refers to is free at once."""
        if self._callback:
            self._callback = None
            self._timers.one_cancelled()

    def fire(self) -> None:
        """Make the call, once."""
        callback, self._callback = self._callback, None
        if callback:
            callback()


class Timers:
    """Calls back at Trio's time, once `run` runs."""

    def __init__(self) -> None:
        self.now: Callable[[], float] = trio.lowlevel.current_clock().current_time
        """Trio's time, for a third of what `trio.current_time` costs: a session asks a dozen times."""
        self._heap: list[tuple[float, int, Deadline]] = []
        self._serial = itertools.count()
        self._cancelled = 0
        self._sleep = trio.CancelScope()

    def call_at(self, when: float, callback: Callable[[], None]) -> Deadline:
        """Call `callback` at `when` (`now`). It must not raise."""
        deadline = Deadline(self, callback)
        heapq.heappush(self._heap, (when, next(self._serial), deadline))
        self._sleep.deadline = min(self._sleep.deadline, when)
        return deadline

    def one_cancelled(self) -> None:
        """Drop what was cancelled, now and then: an hour's timers of short sessions would pile up."""
        self._cancelled += 1
        if self._cancelled > 100 and self._cancelled > len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2].pending]
            heapq.heapify(self._heap)
            self._cancelled = 0

    async def run(self) -> None:
        """Sleep and call back, for ever."""
        while True:
            self._sleep = trio.CancelScope(deadline=self._heap[0][0] if self._heap else math.inf)
            with self._sleep:
                await trio.sleep_forever()
            now = self.now()
            while self._heap and self._heap[0][0] <= now:
                heapq.heappop(self._heap)[2].fire()
