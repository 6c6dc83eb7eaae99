"""The socket of an API's client: sends that end some time, and a close that anybody may call at any time.

On the socket itself, not on Trio's streams: their locks and checkpoints, and a timer for a send that takes no
time, were a third of what a call costs. This module must not know HTTP.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

import trio

_SEND_WITHIN: Final = 30.0
"""Seconds in which a client has to take what is sent to it."""
_END_WITHIN: Final = 1.0
_MOST: Final = 65536


class ClientStream:
    """A connection: every wait on it ends, because the client acts or because it was closed."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._closed = False

    async def send(self, data: bytes) -> bool:
        """Send all of it; False where nobody takes it any more. It waits only where there is no room."""
        try:
            sent = 0 if self._closed else self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
        return not self._closed and (sent == len(data) or await self._send_rest(memoryview(data)[sent:]))

    async def _send_rest(self, rest: memoryview) -> bool:
        with suppress(OSError, trio.ClosedResourceError), trio.move_on_after(_SEND_WITHIN):
            while rest:
                await trio.lowlevel.wait_writable(self._socket)
                with suppress(BlockingIOError):
                    rest = rest[self._socket.send(rest) :]
            return True
        self.close()
        return False

    async def receive(self) -> bytes:
        """What comes next; nothing where nothing will come any more."""
        with suppress(OSError, trio.ClosedResourceError):
            while not self._closed:
                await trio.lowlevel.wait_readable(self._socket)
                with suppress(BlockingIOError):
                    return self._socket.recv(_MOST)
        return b""

    async def end(self) -> None:
        """Say that nothing more will be sent, and wait a while for the client to close.

        Closing with something unread would reset the connection, and destroy the last answer.
        """
        with suppress(OSError), trio.move_on_after(_END_WITHIN):
            self._socket.shutdown(socket.SHUT_WR)
            while await self.receive():
                pass

    def close(self) -> None:
        """Close it at once, whatever is being sent or waited for."""
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
