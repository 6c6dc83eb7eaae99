"""Asks a finproxy elsewhere, by HTTP: JSON in both directions, and streams of server-sent events.

Blocking, for threads, on the standard library alone. Each question has a connection of its own: a server that
was started anew in between is no special case. This module must not know what is asked.
"""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness.errors import HarnessError, SourceUnavailableError, UsageError

_PATIENCE = 10.0
# Where the other container's network vanishes, no segment says so: only probes that nobody answers do, and
# questions that nobody acknowledges (milliseconds; tcp(7)).
_KEEPALIVE = {"TCP_KEEPIDLE": 1, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 4000}


class UnreachableError(SourceUnavailableError):
    """Nobody answers at this address, or not any more."""


class RefusedError(HarnessError):
    """The other side has understood, and will not do it; the message is its own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Told:
    """One server-sent event: its JSON, and what kind it is."""

    kind: str
    data: Any


class Asker:
    """Asks the service at `url`, with its token, if it wants one.

    Raises:
        UsageError: the address is none such as http://server-states:8475.

    """

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            port = parts.port or 80
        except ValueError:
            port = 0
        if parts.scheme != "http" or not parts.hostname or not port or parts.path.strip("/"):
            raise UsageError(f"expected an address such as http://server-states:8475, found {url!r}")
        self.host = parts.hostname
        self.url = f"http://{parts.netloc}"
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, *, within: float = _PATIENCE) -> Any:
        """Ask for something.

        Raises:
            UnreachableError: nobody answers.
            RefusedError: the answer is an error.

        """
        return self.ask("GET", path, within=within)

    def ask(self, method: str, path: str, body: object = None, *, within: float = _PATIENCE) -> Any:
        """Ask for something to be done; the answer, None if it is empty. Raises as `get` does."""
        connection = http.client.HTTPConnection(self.host, self._port, timeout=within)
        with contextlib.closing(connection):
            answer = self._send(connection, method, path, body)
            with self._translated():
                text = answer.read()
        return _json(text) if text else None

    @contextlib.contextmanager
    def stream(self, path: str) -> Iterator["EventStream"]:
        """Open a stream of events, from which another thread may hang up."""
        connection = http.client.HTTPConnection(self.host, self._port, timeout=_PATIENCE)
        with contextlib.closing(connection):
            with self._translated():
                connection.connect()
            # http.client forgets the socket once an answer says that it will be closed at its end.
            plain = connection.sock
            yield EventStream(self, plain, self._send(connection, "GET", path, None))

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: object
    ) -> http.client.HTTPResponse:
        text = None if body is None else json.dumps(body)
        with self._translated():
            if connection.sock is None:
                connection.connect()
            _probe_often(connection.sock)
            headers = self._headers | ({"Content-Type": "application/json"} if text else {})
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            if answer.status >= 400:
                raise RefusedError(answer.status, _refusal(self.url, answer.status, answer.read()))
            return answer

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise UnreachableError(f"expected an answer from {self.url}, found: {why}") from error


class EventStream:
    """Server-sent events as they come in (HTML standard, section 9.2), each with JSON as its data."""

    def __init__(self, asker: Asker, plain: socket.socket, answer: http.client.HTTPResponse) -> None:
        self._asker = asker
        self._socket = plain
        self._answer = answer
        self._socket.settimeout(None)

    def __iter__(self) -> Iterator[Told]:
        """Yield events until the other side ends the stream; raises UnreachableError if it breaks."""
        kind, data = "", ""
        while line := self._next_line():
            field, _, value = line.rstrip("\r\n").partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                kind = value
            elif field == "data":
                data += value
            elif not line.strip() and data:
                yield Told(kind, json.loads(data))
                kind, data = "", ""

    def hang_up(self) -> None:
        """End it: whoever iterates gets UnreachableError or the end. For another thread."""
        with contextlib.suppress(OSError):  # it has broken already
            self._socket.shutdown(socket.SHUT_RDWR)

    def _next_line(self) -> str:
        with self._asker._translated():
            return self._answer.readline().decode("utf-8", "replace")


def _probe_often(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise HarnessError(f"expected JSON, found {text[:80]!r}: is this a finproxy?") from error


def _refusal(url: str, status: int, text: bytes) -> str:
    """What the other side says: the sentence, and what was expected, found, and is to be done."""
    with contextlib.suppress(ValueError, AttributeError, KeyError):
        told = json.loads(text)
        names = ("expected", "found", "what_to_do")
        more = [f"{name.replace('_', ' ')}: {told[name]}" for name in names if told.get(name)]
        return "; ".join([f"{url}: {told['error']}", *more])
    return f"{url} answered with status {status}: {text[:200].decode('utf-8', 'replace')}"
