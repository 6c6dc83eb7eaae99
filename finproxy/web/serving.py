"""Serves an ASGI application on Hypercorn, inside the Trio run that is there already.

Hypercorn's own `serve` cannot be used as it is: it shields each send from cancellation, so that one client
that does not read would keep the whole program from ending. Its connection handler is run on a stream of our
own, whose sends are bounded, and which can be closed under it. This module must not know the application.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import wrap_app
from starlette.types import ASGIApp, Scope

from .. import sockets
from ..legs import Address
from ..nurseries import background

_log = logging.getLogger("finproxy")

_GRACE: Final = 1.0
"""Seconds that answers under way get when the server stops."""
_SEND_WITHIN: Final = 30.0
"""Seconds in which a client has to take what is sent to it."""
_KEEP_ALIVE: Final = 60.0
_MOST_CONNECTIONS: Final = 256
"""Beyond this many, a client is told to come back later: a leak in one must not take all descriptors."""
_MOST_REFUSED: Final = 64
"""Who is being told so at once; whoever comes then is told nothing."""
_BUSY: Final = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
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
            server.hang_up()  # also under cancellation: a send may be shielded from it


def hang_up(scope: Scope) -> None:
    """Close the connection of a request at once, whatever is being sent on it."""
    scope["state"]["hang_up"]()


class _Server:
    """The connections of one server."""

    def __init__(self, app: ASGIApp) -> None:
        self._config = _config()
        # Starlette's and Hypercorn's types for the same ASGI application do not know each other.
        self._app = wrap_app(app, self._config.wsgi_max_body_size, "asgi")  # type: ignore[arg-type]
        self._context = WorkerContext(None)
        self._served: set[_Stream] = set()
        self._refused: set[_Stream] = set()
        self._all_gone = trio.Event()

    async def accept(self, listener: socket.socket, connections: trio.Nursery) -> None:
        with trio.socket.from_stdlib_socket(listener) as owned:
            accepting = trio.SocketListener(owned)
            while True:
                try:
                    plain = await accepting.accept()
                except OSError as error:
                    if error.errno not in sockets.ACCEPT_LATER:
                        raise
                    _log.warning("the API cannot accept for now: %s", error.strerror)
                    await trio.sleep(_ACCEPT_AGAIN)
                else:
                    self._let_in(_Stream(plain), connections)

    def _let_in(self, stream: _Stream, connections: trio.Nursery) -> None:
        if len(self._served) < _MOST_CONNECTIONS:
            self._served.add(stream)
            connections.start_soon(self._look_after, stream, self._served, self._serve)
        elif len(self._refused) < _MOST_REFUSED:
            self._refused.add(stream)
            connections.start_soon(self._look_after, stream, self._refused, self._refuse)
        else:
            stream.close()

    async def _look_after(
        self, stream: _Stream, among: set[_Stream], serve: Callable[[_Stream], Awaitable[None]]
    ) -> None:
        try:
            await serve(stream)
        except Exception:
            _log.exception("a connection to the API failed")
        finally:
            stream.close()
            among.discard(stream)
            if not self._served:
                self._all_gone.set()

    async def _serve(self, stream: _Stream) -> None:
        state = ConnectionState({"hang_up": stream.close})
        # Hypercorn's type is Trio's own stream; what it uses of that, ours has.
        server = TCPServer(self._app, self._config, self._context, state, stream)  # type: ignore[arg-type]
        # It would wait for further requests until the keep-alive is over, also where the client has closed.
        stream.when_read = server.idle_task.stop
        await server

    @staticmethod
    async def _refuse(stream: _Stream) -> None:
        with trio.move_on_after(_GRACE), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.send_all(_BUSY)
            await stream.send_eof()
            while await stream.receive_some(4096):
                pass  # closing with a request unread would reset the connection, and the answer with it

    async def finish(self, connections: trio.Nursery) -> None:
        """Let answers under way be finished, for a while."""
        await self._context.terminated.set()
        with trio.move_on_after(_GRACE):
            while self._served:
                self._all_gone = trio.Event()
                await self._all_gone.wait()
        connections.cancel_scope.cancel()

    def hang_up(self) -> None:
        for stream in self._served | self._refused:
            stream.close()


class _Stream:
    """A connection as Hypercorn uses it: its sends are bounded, and anybody may close it."""

    def __init__(self, plain: trio.SocketStream) -> None:
        self._plain = plain
        self.socket = plain.socket
        self.when_read: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
        """Called when there is nothing more to be read, for whatever reason."""

    async def send_all(self, data: bytes) -> None:
        with trio.move_on_after(_SEND_WITHIN):
            return await self._plain.send_all(data)
        self.close()
        raise trio.BrokenResourceError("the client did not take what was sent to it")

    async def receive_some(self, most: int) -> bytes | bytearray:
        data: bytes | bytearray = b""
        try:
            data = await self._plain.receive_some(most)
        finally:
            if not data:
                await self.when_read()
        return data

    async def send_eof(self) -> None:
        await self._plain.send_eof()

    async def aclose(self) -> None:
        await self._plain.aclose()

    def close(self) -> None:
        self.socket.close()


def _config() -> Config:
    config = Config()
    config.errorlog = logging.getLogger("finproxy.http")
    config.include_server_header = False  # which software it is concerns nobody who has no token
    config.keep_alive_timeout = _KEEP_ALIVE
    config.keep_alive_max_requests = 1_000_000_000
    return config
