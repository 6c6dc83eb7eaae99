"""A server for any ASGI application, and a client that talks to it, in the test's own Trio run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.types import ASGIApp

from finproxy import Address, serve_http

from ...support.peers import PATIENCE, Peer, connect


@asynccontextmanager
async def client_of(app: ASGIApp, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of `app`, which is served on a port of its own."""
    async with (
        serve_http(app, ("127.0.0.1", 0)) as address,
        httpx.AsyncClient(base_url=url_of(address), timeout=PATIENCE, **options) as client,
    ):
        yield client


class Events:
    """The events of a stream, one by one: read from a plain socket, as the simplest client would."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._unread = b""
        self.head = ""
        """The answer's status line and headers."""

    async def next(self) -> dict[str, str]:
        """The fields of the next event that has data."""
        while True:
            fields = dict(line.split(": ", 1) for line in (await self._block()).splitlines() if line)
            if "data" in fields:
                return fields

    async def keep_alive(self) -> None:
        """Wait for a comment, which says no more than that the stream is alive."""
        while await self._block() != ": keep-alive":
            pass

    async def rest(self) -> str:
        """What comes until the stream ends."""
        return (self._unread + await self._peer.read_until_eof()).decode()

    async def begin(self) -> None:
        self.head = await self._block("\r\n\r\n")

    async def _block(self, end: str = "\n\n") -> str:
        while end.encode() not in self._unread:
            some = await self._peer.receive_some()
            assert some, f"the stream has ended with {self._unread!r}"
            self._unread += some
        block, _, self._unread = self._unread.partition(end.encode())
        return block.decode()


@asynccontextmanager
async def events_of(
    client: httpx.AsyncClient, path: str = "/", headers: Mapping[str, str] | None = None
) -> AsyncIterator[Events]:
    """A stream of events from where `client` is at home; HTTP/1.0, so that it comes without chunks."""
    peer = await connect((client.base_url.host, client.base_url.port or 0))
    lines = [f"GET {path} HTTP/1.0", "Host: localhost", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    await peer.send("\r\n".join([*lines, "", ""]).encode())
    stream = Events(peer)
    await stream.begin()
    yield stream
    peer.close()


def url_of(address: Address) -> str:
    return f"http://{address[0]}:{address[1]}"
