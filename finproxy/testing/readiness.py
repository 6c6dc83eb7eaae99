"""A wait for fake legs: what happens to them is reported in order, and always in the same one.

This module must not know what a leg does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

from ..readiness import HUNG_UP, READABLE, WRITABLE, Callback


class FakeReadiness:
    """A `Readiness` for fake legs: calls back in the order in which things happened, and always the same."""

    def __init__(self) -> None:
        self._callbacks: dict[int, Callback] = {}
        self._ready: dict[int, int] = {}
        self._soon: deque[Callable[[], None]] = deque()
        self._work_waits = trio.Event()

    def watch(self, fd: int, callback: Callback, wanted: Callable[[], int]) -> None:  # noqa: ARG002
        """Call back at each change; like an edge-triggered set, also once at the start."""
        self._callbacks[fd] = callback
        self.report(fd, READABLE | WRITABLE | HUNG_UP)

    def forget(self, fd: int) -> None:
        """Stop watching `fd`."""
        self._callbacks.pop(fd, None)
        self._ready.pop(fd, None)

    def soon(self, work: Callable[[], None]) -> None:
        """Do `work` in the next turn."""
        self._soon.append(work)
        self._work_waits.set()

    def wants_changed(self, fd: int) -> None:
        """Nothing to do: edges come unasked."""

    def report(self, fd: int, bits: int) -> None:
        """Something has changed at `fd`: for the fake legs."""
        self._ready[fd] = self._ready.get(fd, 0) | bits
        self._work_waits.set()

    async def run(self) -> None:
        """Wait and call back, for ever."""
        while True:
            await self._work_waits.wait()
            self._work_waits = trio.Event()
            ready, self._ready = self._ready, {}
            for fd, bits in ready.items():
                if callback := self._callbacks.get(fd):
                    callback(bits)
            for _ in range(len(self._soon)):
                self._soon.popleft()()
