"""Answers as bytes: the head, and where the body ends (RFC 9112, section 6).

The head goes out with the first piece of the body: two sends would cost the server as much as all the rest,
and sessions share a processor with it. This module must not know sockets, tasks or applications.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final, TypeAlias

from .requests import Request

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_NO_BODY: Final = {204, 304}


class Answer:
    """The answer to a request, piece by piece; `last` says that no other will follow on this connection."""

    def __init__(self, request: Request, status: int, headers: Headers, *, last: bool) -> None:
        self._request = request
        self._status = status
        self._headers = headers
        self._chunked = False
        self._left: int | None = None
        self.begun = False
        """Whether its head is out."""
        # What the client has not sent of its body would be taken for its next request.
        self.keep_alive = request.keep_alive and request.complete and not last
        """Whether another request can be answered behind it."""
        self._finished = False

    @property
    def whole(self) -> bool:
        """Whether all of it is out that it has said would come."""
        return self._finished and not self._left

    def piece(self, body: bytes, *, more: bool) -> bytes:
        """The bytes of a piece of the body, with the head before the first and the end behind the last."""
        first = b"" if self.begun else self._begin(len(body), more=more)
        self.begun, self._finished = True, not more
        return first + self._framed(body, more=more)

    def _begin(self, length: int, *, more: bool) -> bytes:
        framing = self._choose_framing(dict(self._headers), length, more=more)
        return head(self._status, [*self._headers, *framing])

    def _choose_framing(self, given: dict[bytes, bytes], length: int, *, more: bool) -> Headers:
        """Choose how the end of the body is told; returns the headers that say so."""
        said: list[tuple[bytes, bytes]] = []
        if self._request.method == "HEAD" or self._status in _NO_BODY:
            self._left = 0
        elif b"content-length" in given:
            self._left = int(given[b"content-length"])
        elif not more:
            self._left = length
            said.append((b"content-length", b"%d" % length))
        elif self._request.version == "1.1":
            self._chunked = True
            said.append((b"transfer-encoding", b"chunked"))
        else:
            self.keep_alive = False  # only the end of the connection tells where the body ends
        if given.get(b"connection") == b"close":
            self.keep_alive = False
        elif not self.keep_alive:
            said.append((b"connection", b"close"))
        return said

    def _framed(self, body: bytes, *, more: bool) -> bytes:
        if self._chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk if more else chunk + b"0\r\n\r\n"
        if self._left is None:
            return body
        fitting = body[: self._left]
        self._left -= len(fitting)
        return fitting


def head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The head of an answer, with the date."""
    lines = [b"HTTP/1.1 %d %b" % (status, _REASONS.get(status, b""))]
    lines += [b"%b: %b" % pair for pair in headers]
    return b"\r\n".join([*lines, b"date: %b" % _date(int(time.time())), b"", b""])


def error_answer(status: int) -> bytes:
    """An answer without a body, behind which the connection is closed."""
    return head(status, [(b"connection", b"close"), (b"content-length", b"0")])


@lru_cache(1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
