"""The socket of an API's client: sends that end some time, and a close that anybody may call at any time.

This module must not know HTTP.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import trio

_SEND_WITHIN: Final = 30.0
"""Seconds in which a client has to take what is sent to it."""
_END_WITHIN: Final = 1.0
_MOST: Final = 65536

GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError)
"""What tells that there is nobody any more, or that somebody here has closed the connection."""


class ClientStream:
    """A connection: every wait on it ends, because the client acts or because it was closed."""

    def __init__(self, plain: trio.SocketStream) -> None:
        self._plain = plain

    async def send(self, data: bytes) -> bool:
        """Send all of it; False where nobody takes it any more."""
        with suppress(*GONE), trio.move_on_after(_SEND_WITHIN):
            await self._plain.send_all(data)
            return True
        self.close()
        return False

    async def receive(self) -> bytes | bytearray:
        """What comes next; nothing where nothing will come any more."""
        try:
            return await self._plain.receive_some(_MOST)
        except GONE:
            return b""

    async def end(self) -> None:
        """Say that nothing more will be sent, and wait a while for the client to close.

        Closing with something unread would reset the connection, and destroy the last answer.
        """
        with suppress(*GONE), trio.move_on_after(_END_WITHIN):
            await self._plain.send_eof()
            while await self._plain.receive_some(_MOST):
                pass

    def close(self) -> None:
        """Close it at once, whatever is being sent or waited for."""
        self._plain.socket.close()
