"""Sockets on their way to the upstream: the places that an address stands for, and a connection to one.

This module must not know how long a dial may take, nor in which order places are tried (upstream.py).
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, TypeAlias

import trio

from ..legs import Address
from .leg import SocketLeg, set_options
from .listening import Prepare


class DialError(Exception):
    """The upstream could not be reached; the text says why. Data for `session.refused`, never shown raw."""

    @classmethod
    def of(cls, error: OSError) -> DialError:
        """What the system says of it."""
        return cls(os.strerror(error.errno) if error.errno else str(error))


Place: TypeAlias = tuple[int, tuple[Any, ...]]
"""Address family, and the socket address in that family's form."""


def literal(address: Address) -> list[Place]:
    """The place that a numeric address stands for; none for a name, which has to be resolved."""
    host, port = address
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return []
    return [(family, where) for family, _, _, _, where in found]


async def resolve(address: Address) -> list[Place]:
    """Family and socket address of each place that a name stands for.

    Raises:
        DialError: the name stands for none.
    """
    host, port = address
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise DialError(f"cannot resolve {host}: {error.strerror or error}") from error
    return [(family, where) for family, _, _, _, where in found]


class Connecting:
    """A socket on its way to a place."""

    __slots__ = ("_socket", "_where", "fd")

    def __init__(self, place: Place, prepare: Prepare) -> None:
        family, self._where = place
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self.fd = self._socket.fileno()
        try:
            self._socket.setblocking(False)
            prepare(self._socket)
        except BaseException:
            self._socket.close()
            raise

    def leg(self) -> SocketLeg | None:
        """Connect, or look how far it has come: the leg, or None while it can only be waited for.

        Raises:
            OSError: this place does not answer; says why.
        """
        code = self._socket.connect_ex(self._where)
        if code == errno.EINPROGRESS:  # begun by this call; within one machine it is through by now
            code = self._socket.connect_ex(self._where)
        if code in (errno.EINPROGRESS, errno.EALREADY):
            return None
        if code not in (0, errno.EISCONN):
            raise OSError(code, os.strerror(code))
        set_options(self._socket)
        return SocketLeg(self._socket)

    def close(self) -> None:
        """Give it up."""
        self._socket.close()
