"""Clients between accept and the beginning of their session: numbered, counted, handed on, or turned away.

Nothing here waits, so a slow dial delays nobody. This module must not know what becomes of a session that has
begun.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sized
from dataclasses import dataclass
from functools import partial

from . import sockets
from .addresses import format_address
from .legs import Leg, LegIO
from .settings import Settings
from .shell import Surroundings
from .upstream import Dial, Upstream

_log = logging.getLogger("finproxy")


@dataclass(slots=True)
class _Arrival:
    """A client whose upstream has not answered yet."""

    number: int
    client: sockets.SocketLeg
    at: float
    dial: Dial | None = None


class Reception:
    """Greets each connection of one proxy."""

    def __init__(
        self,
        settings: Settings,
        upstream: Upstream,
        around: Surroundings,
        sessions: Sized,
        *,
        begin: Callable[[int, LegIO, LegIO], None],
        turned_away: Callable[[], None],
        record: Callable[..., None],
    ) -> None:
        self.count = settings.first_session - 1
        """The number that the newest connection has."""
        self._settings = settings
        self._sessions = sessions
        """Those that have begun, and count towards the limit."""
        self._begin = begin
        self._turned_away = turned_away
        self._record = record
        self._upstream = upstream
        self._around = around
        self._arrivals: dict[int, _Arrival] = {}

    @property
    def waiting(self) -> int:
        """Clients whose upstream has not answered yet."""
        return len(self._arrivals)

    def greet(self, sock: socket.socket) -> None:
        """Begin to serve a connection that was accepted."""
        self.count += 1
        try:
            client = sockets.accepted_leg(sock)
        except OSError:
            sock.close()
            reason = "the client was gone before it was accepted"
            self._record("session.refused", self.count, reason=reason)
            return
        arrival = _Arrival(self.count, client, self._around.timers.now())
        limit = self._settings.max_sessions
        full = limit is not None and len(self._sessions) + self.waiting >= limit
        self._arrivals[arrival.number] = arrival
        if full:
            self._refuse(arrival, f"{limit} sessions are open already, which is the limit")
        else:
            arrival.dial = self._upstream.dial(partial(self._dialled, arrival))

    def refuse_all(self, reason: str) -> None:
        """Turn away whoever still waits."""
        for arrival in list(self._arrivals.values()):
            self._refuse(arrival, reason)

    def _dialled(self, arrival: _Arrival, result: sockets.SocketLeg | Exception) -> None:
        if isinstance(result, sockets.SocketLeg):
            self._hand_on(arrival, result)
        elif isinstance(result, sockets.DialError):
            self._refuse(arrival, str(result))
        else:
            self._crash(arrival, result)

    def _hand_on(self, arrival: _Arrival, server: sockets.SocketLeg) -> None:
        del self._arrivals[arrival.number]
        try:
            self._begin(arrival.number, arrival.client, server)
        except Exception as error:
            # A session deals with its own defects; this one kept it from coming into being.
            server.abort()
            self._crash(arrival, error)

    def _refuse(self, arrival: _Arrival, reason: str) -> None:
        """Turn a client away with a reset, as a closed port would."""
        fields = {
            "client": list(arrival.client.remote),
            "upstream": format_address(self._settings.upstream),
        }
        age = self._around.timers.now() - arrival.at
        self._record("session.refused", arrival.number, age, **fields, reason=reason)
        if self._around.wire:  # a FIN that waits must not be taken for a later one
            self._around.wire.let_pass(Leg.CLIENT, arrival.client)
        self._turn_away(arrival)

    def _crash(self, arrival: _Arrival, error: Exception) -> None:
        _log.error("session %d crashed", arrival.number, exc_info=error)
        self._record("session.crashed", arrival.number, why=repr(error))
        self._turn_away(arrival)

    def _turn_away(self, arrival: _Arrival) -> None:
        if arrival.dial:
            arrival.dial.cancel()
        arrival.client.abort()
        self._arrivals.pop(arrival.number, None)
        self._turned_away()
