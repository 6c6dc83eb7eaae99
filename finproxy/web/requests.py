"""Requests out of bytes: httptools, which is Node's parser, reads HTTP/1.1 (RFC 9112); here is what it found.

Framing is the parser's: chunks, lengths, what contradicts itself and what could be read in two ways. This
keeps only what has been read of which request, and the limits. It must not know sockets, tasks or answers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import httptools

MOST_HEAD: Final = 64 * 1024
"""Bytes that a request may take before its head is complete."""


class BadRequestError(Exception):
    """What was sent is no request; `status` says in which way."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(slots=True, eq=False)
class Request:
    """A request, as far as it has come."""

    target: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Names in lower case, in the order in which they came."""
    method: str = ""
    version: str = ""
    keep_alive: bool = False
    """Whether the client would send another one on this connection."""
    head_complete: bool = False
    complete: bool = False
    body: deque[bytes] = field(default_factory=deque)
    """Pieces that nobody has taken yet."""

    @property
    def expects_continue(self) -> bool:
        """Whether the client sends the body only if it is told to (RFC 9110, section 10.1.1)."""
        return any(name == b"expect" and value.lower() == b"100-continue" for name, value in self.headers)


class RequestReader:
    """Reads the requests of one connection; `ready` are those whose heads are complete, oldest first."""

    def __init__(self) -> None:
        self.ready: deque[Request] = deque()
        self.error: BadRequestError | None = None
        """Why nothing more can be read; what is ready was sent before that."""
        self._parser = httptools.HttpRequestParser(self)
        self._reading = Request()
        self._head = 0

    def feed(self, data: bytes | bytearray) -> None:
        """Read what came. Requests that become ready, and pieces of bodies, are put where they belong."""
        if self.error:
            return
        self._head += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_again(self.ready.pop(), data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self.error = BadRequestError(400, str(error))
        if self._head > MOST_HEAD and not self._reading.head_complete:
            self.error = BadRequestError(431, f"the head of the request is longer than {MOST_HEAD} bytes")

    def _read_again(self, request: Request, rest: bytes | bytearray) -> None:
        """Nobody here speaks another protocol: the wish is ignored (RFC 9110, section 7.8).

        The parser takes what follows for the other protocol, also the body. So it is given the head anew,
        without the wish.
        """
        if request.method == "CONNECT":
            self.error = BadRequestError(501, "this is no HTTP proxy")
            return
        self._parser = httptools.HttpRequestParser(self)
        lines = [b"%b: %b" % pair for pair in request.headers if pair[0] != b"upgrade"]
        first = b"%b %b HTTP/%b" % (request.method.encode(), request.target, request.version.encode())
        self.feed(b"\r\n".join([first, *lines, b"", rest]))

    # --- called by the parser -----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._reading = Request()
        self._head = 0

    def on_url(self, piece: bytes) -> None:
        """A piece of the target has come."""
        self._reading.target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come, or a trailer, which nobody asked for."""
        if not self._reading.head_complete:
            self._reading.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        request, parser = self._reading, self._parser
        request.method = parser.get_method().decode()
        request.version = parser.get_http_version()
        request.keep_alive = parser.should_keep_alive()
        request.head_complete = True
        self.ready.append(request)

    def on_body(self, piece: bytes) -> None:
        """A piece of the body has come."""
        self._reading.body.append(piece)

    def on_message_complete(self) -> None:
        """The request has come in whole."""
        self._reading.complete = True
