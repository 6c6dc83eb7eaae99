"""Takes connections from a listener, as they come and as far as the system has room for them.

This module must not know what is done with a connection, nor where it leads.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Final

import trio

from . import sockets
from .addresses import format_address
from .readiness import READABLE, Readiness
from .timers import Deadline, Timers

_log = logging.getLogger("finproxy")

_ACCEPT_AGAIN_AFTER: Final = 0.1
"""Seconds to wait when accepting fails for want of descriptors or memory: somebody has to free some."""
_ACCEPTS_A_TURN: Final = 64


class Acceptor:
    """Gives each connection of one listener to a callback, which must not raise."""

    def __init__(
        self,
        listener: socket.socket,
        readiness: Readiness,
        timers: Timers,
        greet: Callable[[socket.socket], None],
    ) -> None:
        self.address = sockets.listening_address(listener)
        """Where it listens."""
        self._listener = listener
        self._readiness = readiness
        self._timers = timers
        self._greet = greet
        self._ended = trio.Event()
        self._error: OSError | None = None
        self._again: Deadline | None = None

    def stop(self) -> None:
        """Accept no more."""
        self._ended.set()

    async def run(self) -> None:
        """Accept until told to stop; then the listener is closed.

        Raises:
            OSError: the listener is broken.
        """
        with self._listener:
            self._readiness.watch(self._listener.fileno(), self._ready, lambda: READABLE)
            try:
                await self._ended.wait()
            finally:
                self._ended.set()
                if self._again:
                    self._again.cancel()
                self._readiness.forget(self._listener.fileno())
        if self._error:
            raise self._error

    def _ready(self, _bits: int = 0) -> None:
        if self._ended.is_set() or (self._again and self._again.pending):
            return
        try:
            self._accept()
        except OSError as error:
            if error.errno in sockets.ACCEPT_LATER:
                _log.warning("%s cannot accept for now: %s", format_address(self.address), error.strerror)
                self._again = self._timers.call_at(self._timers.now() + _ACCEPT_AGAIN_AFTER, self._ready)
            else:
                self._error = error
                self._ended.set()

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_A_TURN):
            if (sock := sockets.accept(self._listener)) is None:
                return
            self._greet(sock)
        self._readiness.soon(self._ready)  # the edge has been used up, and there may be more
