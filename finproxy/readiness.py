"""Which sockets can be read or written now: one wait for all sessions of a proxy.

A Trio task for each direction of each session costs two task switches a message. Here one task waits on
an epoll set of its own and calls back, so that a message costs the system calls and little else (relay.py
has the figures). Edges, not levels: each socket is registered once, and a set in which nothing is wanted
still reports the RST that follows a FIN, which no read ever would. Where there is no epoll, Trio's own
waits do the same, more slowly, and cannot see that RST. This module must not know sessions or bytes.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

import trio

READABLE: Final = 1
WRITABLE: Final = 4
FAILED: Final = 8
FIN_BEHIND: Final = 0x2000
HUNG_UP: Final = 0x10
URGENT_BEHIND: Final = 2
MORE_BEHIND: Final = FIN_BEHIND | HUNG_UP | URGENT_BEHIND
"""Any of these bits: a short read is not the last, as a FIN, a loss or an urgent mark is waiting."""

# All are epoll's own, so that nothing has to be translated: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLRDHUP, EPOLLHUP
# and EPOLLPRI.

Callback = Callable[[int], None]
"""Told what a socket is ready for. It must not raise: nobody could say whose fault it was."""

_Watched: TypeAlias = tuple[Callback, Callable[[], int]]


class Readiness(Protocol):
    """One wait for many sockets."""

    def watch(self, fd: int, callback: Callback, wanted: Callable[[], int]) -> None:
        """Call back at each change of what `fd` is ready for; `wanted` says what is waited for now."""

    def forget(self, fd: int) -> None:
        """Stop watching; to be called before the fd is closed."""

    def soon(self, work: Callable[[], None]) -> None:
        """Do some work in the next turn: for whoever stopped in the middle so that others get theirs."""

    def wants_changed(self, fd: int) -> None:
        """What `wanted` returns for `fd` may have changed."""

    async def run(self) -> None:
        """Wait and call back, for ever."""


class EpollReadiness:
    """Edge-triggered epoll (epoll(7)) inside one Trio task."""

    _EDGES: Final = READABLE | WRITABLE | MORE_BEHIND | select.EPOLLET
    _AT_ONCE: Final = 256
    """Sockets that are called back before the clock is looked at."""
    _TURN: Final = 0.002
    """Seconds after which Trio's other tasks get their turn: timers, new sessions, whoever calls the API.

    Beside a hundred busy sessions each step of theirs would otherwise wait 20 ms; a call has several."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callback] = {}
        self._soon: deque[Callable[[], None]] = deque()
        self._work_waits = trio.Event()

    def watch(self, fd: int, callback: Callback, wanted: Callable[[], int]) -> None:  # noqa: ARG002
        """Register `fd` once: what is wanted does not matter to edges."""
        self._callbacks[fd] = callback
        self._epoll.register(fd, self._EDGES)

    def forget(self, fd: int) -> None:
        """Stop watching `fd`."""
        # A proxy that is cancelled has lost this set already when it gives its sessions up.
        if self._callbacks.pop(fd, None) and not self._epoll.closed:
            self._epoll.unregister(fd)

    def soon(self, work: Callable[[], None]) -> None:
        """Do `work` in the next turn."""
        self._soon.append(work)
        self._work_waits.set()

    def wants_changed(self, fd: int) -> None:
        """Nothing to do: edges come unasked."""

    async def run(self) -> None:
        """Wait and call back, for ever."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._run_soon)
                while True:
                    await trio.lowlevel.wait_readable(self._epoll.fileno())
                    self._turn()
        finally:
            self._epoll.close()

    def _turn(self) -> None:
        end = time.monotonic() + self._TURN
        while ready := self._epoll.poll(0, self._AT_ONCE):
            for fd, bits in ready:
                # An earlier callback of this very turn may have closed this one's socket.
                if callback := self._callbacks.get(fd):
                    callback(bits)
            if time.monotonic() > end:
                return

    async def _run_soon(self) -> None:
        while True:
            await self._work_waits.wait()
            self._work_waits = trio.Event()
            for _ in range(len(self._soon)):
                self._soon.popleft()()


class TrioReadiness:
    """The same on Trio's own waits, for systems without epoll: a task for each socket and direction."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._waiting: set[tuple[int, int]] = set()
        self._todo: deque[Callable[[], None]] = deque()
        self._work_waits = trio.Event()
        self._nursery: trio.Nursery | None = None

    def watch(self, fd: int, callback: Callback, wanted: Callable[[], int]) -> None:
        """Wait for whatever is wanted of `fd`, from the next turn on."""
        self._watched[fd] = callback, wanted
        self.wants_changed(fd)

    def forget(self, fd: int) -> None:
        """Stop watching `fd`, and end the waits on it before it is closed."""
        self._watched.pop(fd, None)
        self._waiting -= {(fd, READABLE), (fd, WRITABLE)}
        trio.lowlevel.notify_closing(fd)

    def soon(self, work: Callable[[], None]) -> None:
        """Do `work` in the next turn."""
        self._todo.append(work)
        self._work_waits.set()

    def wants_changed(self, fd: int) -> None:
        """Start the waits that are now wanted; those under way go on until they fire."""
        self.soon(lambda: self._start_waits(fd))

    async def run(self) -> None:
        """Wait and call back, for ever."""
        async with trio.open_nursery() as self._nursery:
            while True:
                await self._work_waits.wait()
                self._work_waits = trio.Event()
                for _ in range(len(self._todo)):
                    self._todo.popleft()()

    def _start_waits(self, fd: int) -> None:
        watched = self._watched.get(fd)
        if self._nursery is None or watched is None:
            return
        wanted = watched[1]()
        for kind in (READABLE, WRITABLE):
            if wanted & kind and (fd, kind) not in self._waiting:
                self._waiting.add((fd, kind))
                self._nursery.start_soon(self._wait, fd, kind, watched)

    async def _wait(self, fd: int, kind: int, watched: _Watched) -> None:
        if self._watched.get(fd) is not watched:
            return  # given up before this task had its first turn
        try:
            if kind == READABLE:
                await trio.lowlevel.wait_readable(fd)
            else:
                await trio.lowlevel.wait_writable(fd)
        except trio.ClosedResourceError:
            return
        if self._watched.get(fd) is not watched:
            return  # the fd was given up in this very turn; by now its number may be somebody else's
        self._waiting.discard((fd, kind))
        watched[0](kind)
        self.wants_changed(fd)


def best_readiness() -> Readiness:
    """Epoll where the system has it, Trio's own waits elsewhere."""
    return EpollReadiness() if hasattr(select, "epoll") else TrioReadiness()
