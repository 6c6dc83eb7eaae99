"""One request and its answer as ASGI has them (version 3.0), on the connection that both share.

This module must not know how requests are read, nor how answers are written (requests.py, answers.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import unquote

import trio
from starlette.types import ASGIApp, Message, Scope

from .answers import Answer, error_answer
from .requests import Request
from .stream import ClientStream

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """A request that is being answered.

    Args:
        request: what is answered; more of its body may be on the way.
        stream: where the answer goes.
        read: waits until more of the request has come; False where nothing does any more.
        last: whether no other request will be answered, as far as is known when the answer begins.
    """

    def __init__(
        self,
        request: Request,
        stream: ClientStream,
        read: Callable[[], Awaitable[bool]],
        last: Callable[[], bool],
    ) -> None:
        self._request = request
        self._stream = stream
        self._read = read
        self._last = last
        self._asked_for_body = False
        self._handed_over = False
        self._gone = False
        self._answer: Answer | None = None

    @property
    def begun(self) -> bool:
        """Whether an answer has begun."""
        return self._answer is not None and self._answer.begun

    async def run(self, app: ASGIApp) -> bool:
        """Have the request answered; True where the connection can be used for another one."""
        await app(self._scope(), self._receive, self._send)
        if not self.begun and not self._gone:
            await self._stream.send(error_answer(500))
        if self._answer is None or not self._answer.whole:
            return False
        if not self._answer.keep_alive:
            await self._stream.end()
        return self._answer.keep_alive and not self._gone

    def _scope(self) -> Scope:
        request = self._request
        path, _, query = request.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": request.version,
            "method": request.method,
            "scheme": "http",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": request.headers,
            "client": None,
            "server": None,
            "state": {"hang_up": self._stream.close},
        }

    async def _receive(self) -> Message:
        request = self._request
        if not (request.complete or self._asked_for_body or self.begun) and request.expects_continue:
            await self._stream.send(_CONTINUE)
        self._asked_for_body = True
        while self._handed_over or not (request.body or request.complete):
            if not await self._read():
                self._gone = True
                return {"type": "http.disconnect"}
        body = b"".join(request.body)
        request.body.clear()
        self._handed_over = request.complete
        return {"type": "http.request", "body": body, "more_body": not request.complete}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            self._answer = Answer(self._request, message["status"], headers, last=self._last())
            return
        if self._answer is None:
            raise RuntimeError(f"expected http.response.start, found {message['type']}")
        data = self._answer.piece(message.get("body", b""), more=message.get("more_body", False))
        if self._gone or not await self._stream.send(data):
            # It is no error of the application's that nobody listens: it is told when it asks for more.
            self._gone = True
            await trio.lowlevel.checkpoint()
