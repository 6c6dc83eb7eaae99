"""How to speak to a server: HTTP, raw bytes with the answer that is expected, or a callable.

This module must not know what is judged.
"""

import http.client
import io
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from typing import Protocol as TypingProtocol


class WrongAnswerError(Exception):
    """The answer is not the one that was expected; says what came."""


class Answer(NamedTuple):
    """A complete answer. `closes`: the server has said that it ends the connection now."""

    text: str
    closes: bool


class Protocol(TypingProtocol):
    """One request and its answer."""

    @property
    def announces_close(self) -> bool:
        """Whether the protocol has a way to say that the connection ends after this answer."""
        ...

    def send(self, sock: socket.socket) -> None:
        """Send the request."""
        ...

    def receive(self, sock: socket.socket) -> Answer:
        """Read the answer, all of it.

        Raises:
            WrongAnswerError: it is incomplete, or another one.
            OSError: the connection was reset, or nothing came in time.

        """
        ...


@dataclass(frozen=True)
class Http:
    """A GET request of HTTP/1.1; every status is an answer."""

    path: str = "/"
    host: str = "localhost"
    close: bool = False
    """Ask the server to close afterwards."""
    announces_close: bool = field(default=True, init=False)

    def send(self, sock: socket.socket) -> None:
        """Send the request."""
        closes = "Connection: close\r\n" if self.close else ""
        sock.sendall(f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\n{closes}\r\n".encode())

    def receive(self, sock: socket.socket) -> Answer:
        """Read status, headers and the whole body."""
        response = http.client.HTTPResponse(sock, method="GET")
        response.fp = lines = _Lines(response.fp.detach())
        try:
            response.begin()
            lines.must_have_ended_a_header()
            body = response.read()
        except http.client.HTTPException as error:
            raise WrongAnswerError(f"{type(error).__name__}: {error}") from error
        finally:
            closes = bool(getattr(response, "will_close", True))
            response.close()
        return Answer(f"{response.status} with {len(body)} bytes", closes)


class _Lines(io.BufferedReader):
    """What is read as lines. `http.client` takes the end of the connection for the end of a header."""

    _last = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        self._last = super().readline(size)
        return self._last

    def must_have_ended_a_header(self) -> None:
        if self._last not in {b"\r\n", b"\n"}:
            raise WrongAnswerError("the connection ended in the middle of the answer's header")


@dataclass(frozen=True)
class RawBytes:
    """Bytes to send, and the bytes that must come back."""

    request: bytes
    expected: bytes
    announces_close: bool = field(default=False, init=False)

    def send(self, sock: socket.socket) -> None:
        """Send the request."""
        sock.sendall(self.request)

    def receive(self, sock: socket.socket) -> Answer:
        """Read as many bytes as are expected, and compare."""
        got = b""
        while len(got) < len(self.expected) and (some := sock.recv(len(self.expected) - len(got))):
            got += some
        if got != self.expected:
            raise WrongAnswerError(f"expected {self.expected!r}, found {got!r}")
        return Answer(repr(got), closes=False)


@dataclass(frozen=True)
class Callback:
    """A function that sends the request, and one that reads the answer and raises if it is wrong."""

    send_request: Callable[[socket.socket], object]
    receive_answer: Callable[[socket.socket], object]
    announces_close: bool = field(default=False, init=False)

    def send(self, sock: socket.socket) -> None:
        """Send the request."""
        self.send_request(sock)

    def receive(self, sock: socket.socket) -> Answer:
        """Read the answer."""
        try:
            return Answer(repr(self.receive_answer(sock)), closes=False)
        except (ValueError, AssertionError, EOFError) as error:
            raise WrongAnswerError(str(error) or repr(error)) from error
