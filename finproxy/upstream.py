"""The way to the service: its name resolved, its port dialled, within a time.

This module must not know clients, sessions or rules.
"""

from __future__ import annotations

import math
import socket
from typing import Final

import trio

from . import sockets
from .legs import Address, Leg
from .wire_watch import WireWatch

_NAMES_LAST: Final = 1.0
"""Seconds for which a resolved name is believed: a container that moves is found again at once."""


class Upstream:
    """Where all sessions of one proxy lead."""

    def __init__(self, address: Address, timeout: float, wire: WireWatch | None) -> None:
        self._address = address
        self._timeout = timeout
        self._wire = wire
        self._believed_until = -math.inf
        self._places: list[sockets.Place] = []

    async def connect(self) -> sockets.SocketLeg:
        """Open a connection to the service.

        Raises:
            DialError: it could not be reached within the time; the text says why.
        """
        with trio.move_on_after(self._timeout):
            return await sockets.dial(await self._resolve(), self._prepare)
        raise sockets.DialError(f"no answer within {self._timeout:g} s")

    async def _resolve(self) -> list[sockets.Place]:
        if trio.current_time() > self._believed_until:
            self._places = await sockets.resolve(self._address)
            self._believed_until = trio.current_time() + _NAMES_LAST
        return self._places

    def _prepare(self, sock: socket.socket) -> None:
        if self._wire:
            self._wire.prepare(Leg.SERVER, sock)
