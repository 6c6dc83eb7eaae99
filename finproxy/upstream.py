"""The way to the service: its name resolved, its port dialled, within a time.

Callbacks, not tasks: a dial within this machine is over before it could have been waited for, and a task
for each would cost more than the dial. This module must not know clients, sessions or rules.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import trio

from . import sockets
from .legs import Address, Leg
from .readiness import WRITABLE, Readiness
from .timers import Deadline, Timers
from .wire_watch import WireWatch

_NAMES_LAST: Final = 1.0
"""Seconds for which a resolved name is believed: a container that moves is found again at once."""

Told: TypeAlias = Callable[[sockets.SocketLeg | Exception], None]
"""Told what became of a dial: a leg, a `DialError`, or whatever else went wrong. It must not raise."""


class Dial:
    """One connection to the service on its way: each of its places in turn, until one answers."""

    def __init__(
        self, readiness: Readiness, timers: Timers, prepare: Callable[[socket.socket], None], told: Told
    ) -> None:
        self._readiness = readiness
        self._timers = timers
        self._prepare = prepare
        self._told: Told | None = told
        self._places: Iterator[sockets.Place] = iter(())
        self._under_way: sockets.Connecting | None = None
        self._failure = sockets.DialError("no address to connect to")
        self._deadline: Deadline | None = None

    def start(self, places: Iterable[sockets.Place]) -> None:
        """Try these places, one after the other."""
        self._places = iter(places)
        self._go_on()

    def limit(self, seconds: float) -> None:
        """Give up after so many seconds, where nothing has been told by then."""
        if self._told:
            late = sockets.DialError(f"no answer within {seconds:g} s")
            self._deadline = self._timers.call_at(self._timers.now() + seconds, lambda: self.tell(late))

    def tell(self, result: sockets.SocketLeg | Exception) -> None:
        """Tell what became of it, once; what is still under way is given up."""
        if told := self._told:
            self.cancel()
            told(result)

    def cancel(self) -> None:
        """Give it up, and tell nothing."""
        self._told = None
        self._abandon()
        if self._deadline:
            self._deadline.cancel()

    def _go_on(self, _bits: int = 0) -> None:
        """Go from place to place until one answers, or has to be waited for."""
        while self._told:
            try:
                result = self._advance()
            except OSError as error:
                self._failure = sockets.DialError.of(error)
                self._abandon()
            except Exception as error:  # a technique failed to prepare the socket: this dial alone pays
                self.tell(error)
            else:
                if result:
                    self.tell(result)
                return

    def _advance(self) -> sockets.SocketLeg | sockets.DialError | None:
        """What is to be told, or None while a connection has to be waited for."""
        if begun := self._under_way is None:
            if (place := next(self._places, None)) is None:
                return self._failure
            self._under_way = sockets.Connecting(place, self._prepare)
        assert self._under_way is not None
        if leg := self._under_way.leg():
            self._readiness.forget(leg.fd)
            self._under_way = None
            return leg
        if begun:
            self._readiness.watch(self._under_way.fd, self._go_on, lambda: WRITABLE)
        return None

    def _abandon(self) -> None:
        if connecting := self._under_way:
            self._under_way = None
            self._readiness.forget(connecting.fd)
            connecting.close()


class Upstream:
    """Where all sessions of one proxy lead."""

    def __init__(
        self, address: Address, timeout: float, readiness: Readiness, timers: Timers, wire: WireWatch | None
    ) -> None:
        self._address = address
        self._timeout = timeout
        self._readiness = readiness
        self._timers = timers
        self._wire = wire
        self._places = sockets.literal(address)
        self._believed_until = math.inf if self._places else -math.inf
        self._waiting: list[Dial] = []
        """Dials that wait for the name to be resolved."""
        self._name_wanted = trio.Event()

    def dial(self, told: Told) -> Dial:
        """Open a connection to the service, and tell what became of it, be it before this returns."""
        dial = Dial(self._readiness, self._timers, self._prepare, told)
        if self._believed_until > self._timers.now():
            dial.start(self._places)
        else:
            self._waiting.append(dial)
            self._name_wanted.set()
        dial.limit(self._timeout)
        return dial

    async def run(self) -> None:
        """Resolve the name whenever a dial waits for it, for ever."""
        while True:
            await self._name_wanted.wait()
            self._name_wanted = trio.Event()
            failure: sockets.DialError | None = None
            try:
                self._places = await sockets.resolve(self._address)
                self._believed_until = self._timers.now() + _NAMES_LAST
            except sockets.DialError as error:
                failure = error
            waiting, self._waiting = self._waiting, []
            for dial in waiting:
                dial.tell(failure) if failure else dial.start(self._places)

    def _prepare(self, sock: socket.socket) -> None:
        if self._wire:
            self._wire.prepare(Leg.SERVER, sock)
