"""Listening sockets: how they are opened, what is accepted, and why one could not be had.

This module must not know what is done with a connection.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any, TypeAlias

from ..addresses import format_address
from ..errors import FinproxyError
from ..legs import Address
from .leg import address_of, set_options

ACCEPT_LATER = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Accepting fails until something is freed: wait and try again (accept(2))."""

Prepare: TypeAlias = Callable[[socket.socket], None]
"""Something to be done to a socket before it has a peer."""

_BACKLOG = 4096


class ListenError(FinproxyError):
    """The listening socket could not be opened; `address` is where, if it came so far."""

    def __init__(self, text: str, address: Address | None = None) -> None:
        super().__init__(text)
        self.address = address


def listen(address: Address, prepare: Prepare | None = None) -> socket.socket:
    """Open a non-blocking listener; `prepare` sees the socket before anybody can connect to it.

    Raises:
        ListenError: the port is taken, or reserved, or the address is not one of this machine.
    """
    host, port = address
    try:
        family, _, _, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return _open_listener(family, where, prepare)
    except OSError as error:
        raise ListenError(_why_not_listening(address, error), address) from error


def _open_listener(family: int, where: tuple[Any, ...], prepare: Prepare | None) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart need not wait for TIME-WAIT
        set_options(sock)
        if prepare:
            prepare(sock)
        sock.bind(where)
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _why_not_listening(address: Address, error: OSError) -> str:
    where = format_address(address)
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {where}: the port is in use; choose another one, or 0 for any free port"
    if error.errno == errno.EACCES:
        return (
            f"cannot listen on {where}: this port is reserved; choose one above 1023, or run with the right"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"cannot listen on {where}: the address is not one of this machine's"
    return f"cannot listen on {where}: {error.strerror or error}"


def accept(listener: socket.socket) -> socket.socket | None:
    """The next connection, or None where none is waiting.

    Raises:
        OSError: with an errno of `ACCEPT_LATER`, or because the listener is broken.
    """
    while True:
        try:
            return listener.accept()[0]
        except BlockingIOError:
            return None
        except ConnectionAbortedError:
            continue  # the client was gone before it was accepted: that is no concern of the next one


def listening_address(listener: socket.socket) -> Address:
    """Where a listener really listens, with the port that the kernel chose."""
    return address_of(listener.getsockname())
