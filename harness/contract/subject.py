"""A server on trial: connections to it, what the kernel shows of its ends, the signal, and its exit.

This module must not know which items there are.
"""

import contextlib
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from harness.contract.protocols import Http, Protocol, WrongAnswerError
from harness.errors import CheckFailedError
from harness.holdings import all_sockets, described
from harness.output import wait_until
from harness.program import Exit, Program, StillRunningError
from harness.rows import Endpoint, SocketRow
from harness.sources.choice import best_table
from harness.states import TcpState

_PATIENCE = 5.0
_SETTLES_WITHIN = 3.0


class End(StrEnum):
    """What a client read after the last byte."""

    FIN = "FIN"
    RESET = "RST"
    BYTES = "bytes"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Terms:
    """What is asked of a server: the signal, the seconds it has, and how to speak to it."""

    grace: float = 10.0
    number: int = signal.SIGTERM
    protocol: Protocol = field(default_factory=Http)
    slow: Protocol | None = None
    """A request whose answer takes a while; without it nothing can be in flight when the signal comes."""
    exit_codes: tuple[int, ...] = (0, -signal.SIGTERM, 128 + signal.SIGTERM)
    """Dying of the signal itself is what service managers take for a clean exit as well."""
    backlog: int = 4
    """Connections that wait to be accepted when the signal comes."""


class Subject:
    """A running program, as the items see it."""

    def __init__(self, program: Program, terms: Terms) -> None:
        self.program = program
        self.terms = terms

    @contextlib.contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """A client's connection, which the program has accepted."""
        with self.program.connect(self.terms.grace + _PATIENCE) as sock:
            wait_until(lambda: self._is_accepted(sock), _PATIENCE)
            yield sock

    def has_read_all(self, sock: socket.socket) -> bool:
        """Wait until the program has read what was sent to it; whether it has."""

        def is_read() -> bool:
            row = server_row(sock) if has_arrived(sock) else None
            return row is not None and row.inode != 0 and not row.receive_queue

        return wait_until(is_read, _PATIENCE)

    def signal(self) -> None:
        """Ask it to end."""
        self.program.signal(self.terms.number)

    def exit(self) -> Exit | None:
        """How it exited; None if it did not within its grace."""
        try:
            return self.program.exits(within=self.terms.grace)
        except StillRunningError:
            return None

    def refuses(self, within: float) -> bool:
        """Wait until nobody can connect any more; whether that came."""
        return wait_until(lambda: not self._accepts(), within)

    def remains(self) -> list[str]:
        """What is left on its port that is not TIME-WAIT, once all had time to settle."""

        def left() -> list[SocketRow]:
            port = self.program.address[1]
            mine = (row for row in all_sockets(frozenset({port})) if row.endpoint.local.port == port)
            return [row for row in mine if row.state is not TcpState.TIME_WAIT]

        wait_until(lambda: not left(), _SETTLES_WITHIN)
        return [described(row) for row in left()]

    def _is_accepted(self, sock: socket.socket) -> bool:
        """Whether a process holds the server's end: one in the backlog has no inode yet."""
        row = server_row(sock)
        return row is not None and row.inode != 0

    def _accepts(self) -> bool:
        try:
            self.program.connect(1.0).close()
        except ConnectionError:
            return False
        except OSError:
            return True  # a SYN that is not answered is not refused either
        return True


def server_row(sock: socket.socket) -> SocketRow | None:
    """What the kernel shows of the server's end of a client's connection."""
    return _row(Endpoint.of((sock.getpeername(), sock.getsockname())))


def has_arrived(sock: socket.socket) -> bool:
    """Whether the server's kernel has acknowledged all that a client has sent."""
    row = _row(Endpoint.of((sock.getsockname(), sock.getpeername())))
    return row is not None and not row.send_queue


def _row(endpoint: Endpoint) -> SocketRow | None:
    table = best_table()
    try:
        return table.look([endpoint]).rows[endpoint]
    finally:
        table.close()


def read_end(sock: socket.socket) -> End:
    """What comes next on a connection whose answers have all been read."""
    try:
        return End.BYTES if sock.recv(1) else End.FIN
    except TimeoutError:
        return End.NOTHING
    except ConnectionError:
        return End.RESET


def exchange(protocol: Protocol, sock: socket.socket, program: Program) -> bool:
    """One request and its answer; whether the server keeps the connection after it.

    Raises:
        CheckFailedError: even where nothing unusual is done the answer is wrong: nothing can be judged.

    """
    try:
        protocol.send(sock)
        return not protocol.receive(sock).closes
    except (WrongAnswerError, OSError) as error:
        raise CheckFailedError(
            f"expected {program} to answer a plain request, found {error or type(error).__name__}; "
            f"give the request and the answer that it knows\n{program.condition()}"
        ) from error
