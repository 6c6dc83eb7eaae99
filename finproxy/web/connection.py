"""One client's connection: its requests one after the other, until either end has had enough.

This module must not know applications, nor other connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio
from starlette.types import ASGIApp

from .answers import error_answer
from .exchange import Exchange
from .requests import MOST_HEAD, Request, RequestReader
from .stream import ClientStream

_KEEP_ALIVE: Final = 60.0
"""Seconds in which the next request's head has to come."""


class Connection:
    """A client, and what it has asked for; `stopping` says that no further request will be answered."""

    def __init__(self, app: ASGIApp, stream: ClientStream, stopping: Callable[[], bool]) -> None:
        self.stream = stream
        self.idle = True
        """Whether no request is being answered."""
        self._app = app
        self._stopping = stopping
        self._requests = RequestReader()
        self._ahead = 0

    async def run(self) -> None:
        """Answer whatever is asked."""
        while request := await self._next():
            self.idle = False
            exchange = Exchange(request, self.stream, self._read, self._stopping)
            if not await exchange.run(self._app):
                if not exchange.begun:
                    await self._complain()
                return
            self.idle = True
            self._ahead = 0
        await self._complain()

    async def _complain(self) -> None:
        """Say what is wrong with what was sent, if anything is."""
        if error := self._requests.error:
            await self.stream.send(error_answer(error.status))
            await self.stream.end()

    async def _next(self) -> Request | None:
        """The next request; None where there is none."""
        requests = self._requests
        if requests.ready:
            await trio.lowlevel.checkpoint()  # who sends many at once must not keep others waiting
            return requests.ready.popleft()
        with trio.CancelScope(deadline=trio.current_time() + _KEEP_ALIVE):
            while not requests.ready and not requests.error:
                if not (data := await self.stream.receive()):
                    return None
                requests.feed(data)
        return requests.ready.popleft() if requests.ready else None

    async def _read(self) -> bool:
        """Read more while a request is being answered; False where the client has gone, or is bad.

        Whoever sends request after request while one is being answered is not read any further.
        """
        if self._requests.error or self._ahead > MOST_HEAD:
            return False
        data = await self.stream.receive()
        self._requests.feed(data)
        if self._requests.ready:
            self._ahead += len(data)
        return bool(data)
