"""PostgreSQL's protocol 3, as much of it as a query needs: a callable protocol for the audit.

`protocol(seconds, close)` asks `select pg_sleep(seconds)`; with `close` it says goodbye in the same breath,
so that the server closes first. Source: PostgreSQL's manual, "Frontend/Backend Protocol".
"""

import socket
import struct
from dataclasses import dataclass, field
from weakref import WeakSet

from harness.contract.protocols import Answer, WrongAnswerError

_STARTUP = b"user\0postgres\0database\0postgres\0\0"
_VERSION_3 = 196_608
_started: "WeakSet[socket.socket]" = WeakSet()
"""The connections that have logged in: only the first query of each has to."""


@dataclass(frozen=True)
class Query:
    """One query; a connection that has not logged in does so in front of it."""

    seconds: float
    close: bool
    announces_close: bool = field(default=False, init=False)

    def send(self, sock: socket.socket) -> None:
        """Send the query."""
        login = b"" if sock in _started else _message(b"", struct.pack("!i", _VERSION_3) + _STARTUP)
        query = _message(b"Q", f"select pg_sleep({self.seconds})\0".encode())
        sock.sendall(login + query + (_message(b"X", b"") if self.close else b""))

    def receive(self, sock: socket.socket) -> Answer:
        """Read until the server is ready again, behind the login and behind the query."""
        kinds = b"" if sock in _started else _until_ready(sock)
        _started.add(sock)
        kinds = _until_ready(sock)
        if b"C" not in kinds:
            raise WrongAnswerError(f"expected a completed query, found messages of the types {kinds!r}")
        return Answer(f"a completed query ({kinds.decode()})", closes=self.close)


def protocol(seconds: float, *, close: bool) -> Query:
    """A query that takes so long."""
    return Query(seconds, close)


def _message(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("!i", len(payload) + 4) + payload


def _until_ready(sock: socket.socket) -> bytes:
    kinds = b""
    while not kinds.endswith(b"Z"):
        head = _exactly(sock, 5)
        payload = _exactly(sock, struct.unpack("!i", head[1:])[0] - 4)
        if head[:1] == b"E":
            raise WrongAnswerError(f"the server reports {payload.replace(bytes(1), b' ')!r}")
        kinds += head[:1]
    return kinds


def _exactly(sock: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        some = sock.recv(count - len(got))
        if not some:
            raise WrongAnswerError(f"the connection ended after {len(got)} of {count} bytes of a message")
        got += some
    return got
