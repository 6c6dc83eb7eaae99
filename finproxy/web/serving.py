"""Serves an ASGI application inside the Trio run that is there already: lets clients in, and ends in order.

Not on Hypercorn, as it once was: a call took 450 us of a processor that the sessions need too, four times as
many as now (`python -m tests.benchmarks api`), and a client that did not read kept the program from ending.
This module must not know the application, nor HTTP (connection.py).
"""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio
from starlette.types import ASGIApp, Scope

from .. import sockets
from ..legs import Address
from ..nurseries import background
from .answers import error_answer
from .connection import Connection
from .stream import ClientStream

_log = logging.getLogger("finproxy")

_GRACE: Final = 1.0
"""Seconds that answers under way get when the server stops."""
_MOST_CONNECTIONS: Final = 256
"""Beyond this many, a client is told to come back later: a leak in one must not take all descriptors."""
_MOST_REFUSED: Final = 64
"""Who is being told so at once; whoever comes then is told nothing."""
_ACCEPT_AGAIN: Final = 0.1


@asynccontextmanager
async def serve_http(app: ASGIApp, listen: Address) -> AsyncIterator[Address]:
    """Serve `app` for as long as the block lasts; yields the address, with the port that was chosen.

    At the end of the block nobody is let in any more, answers under way get a second, and what is left is
    closed.

    Raises:
        ListenError: the port is taken, or the address is not one of this machine.
    """
    listener = sockets.listen(listen)
    server = _Server(app)
    async with background() as connections:
        try:
            async with background() as accepting:
                accepting.start_soon(server.accept, listener, connections)
                yield sockets.listening_address(listener)
                accepting.cancel_scope.cancel()
            await server.finish(connections)
        finally:
            server.hang_up()


def hang_up(scope: Scope) -> None:
    """Close the connection of a request at once, whatever is being sent on it."""
    scope["state"]["hang_up"]()


class _Server:
    """The connections of one server."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._stopping = False
        self._served: set[Connection] = set()
        self._refused: set[ClientStream] = set()
        self._all_gone = trio.Event()

    async def accept(self, listener: socket.socket, connections: trio.Nursery) -> None:
        with listener:
            while True:
                await trio.lowlevel.wait_readable(listener)
                try:
                    while sock := sockets.accept(listener):
                        self._let_in(ClientStream(sock), connections)
                except OSError as error:
                    if error.errno not in sockets.ACCEPT_LATER:
                        raise
                    _log.warning("the API cannot accept for now: %s", error.strerror)
                    await trio.sleep(_ACCEPT_AGAIN)

    def _let_in(self, stream: ClientStream, connections: trio.Nursery) -> None:
        if len(self._served) < _MOST_CONNECTIONS:
            connection = Connection(self._app, stream, lambda: self._stopping)
            self._served.add(connection)
            connections.start_soon(self._serve, connection)
        elif len(self._refused) < _MOST_REFUSED:
            self._refused.add(stream)
            connections.start_soon(self._refuse, stream)
        else:
            stream.close()

    async def _serve(self, connection: Connection) -> None:
        try:
            await connection.run()
        except Exception:
            _log.exception("a connection to the API failed")
        finally:
            connection.stream.close()
            self._served.discard(connection)
            if not self._served:
                self._all_gone.set()

    async def _refuse(self, stream: ClientStream) -> None:
        try:
            await stream.send(error_answer(503))
            await stream.end()
        finally:
            stream.close()
            self._refused.discard(stream)

    async def finish(self, connections: trio.Nursery) -> None:
        """Let answers under way be finished, for a while."""
        self._stopping = True
        for connection in self._served:
            if connection.idle:
                connection.stream.close()
        with trio.move_on_after(_GRACE):
            while self._served:
                self._all_gone = trio.Event()
                await self._all_gone.wait()
        connections.cancel_scope.cancel()

    def hang_up(self) -> None:
        """Close whatever is open."""
        for stream in {connection.stream for connection in self._served} | self._refused:
            stream.close()
