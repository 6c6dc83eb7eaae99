"""The source sock_diag: Linux's socket table by netlink, one row or a filtered dump, without privilege.

One exact look-up is a hash look-up in the kernel, so its cost does not depend on how many sockets the machine
has. The messages are built and read in inet_diag.py; this module only moves them. It must not know what
rows mean.
"""

import itertools
import socket
import sys
import time
from collections.abc import Iterable, Iterator

from harness.errors import SourceUnavailableError
from harness.rows import Endpoint, Snapshot, SocketRow
from harness.sources import inet_diag
from harness.states import TcpState

_REPLY_BYTES = 1 << 16
# The kernel answers within the send call; a second without an answer means that it never will.
_PATIENCE = 1.0


class SockDiag:
    """Asks the kernel over one netlink socket, in the network namespace of its creator. Not thread-safe."""

    name = "sock_diag"
    sees = "every TCP state, TIME-WAIT and orphans included, with queues, timer, inode and cookie"
    blind_to = "states shorter than the time between two looks; processes (only inodes); other namespaces"
    misses_rows = False

    def __init__(self) -> None:
        if not sys.platform.startswith("linux"):
            raise SourceUnavailableError(
                f"sock_diag: expected Linux, found {sys.platform}; use the source psutil"
            )
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, inet_diag.NETLINK_SOCK_DIAG)
        except OSError as error:
            raise SourceUnavailableError(
                f"sock_diag: expected a netlink socket, found {error.strerror}; "
                "allow AF_NETLINK (seccomp, RestrictAddressFamilies) or use another source (psutil, procfs)"
            ) from error
        self._socket.settimeout(_PATIENCE)
        self._sequences = itertools.count(1)

    def look(self, endpoints: Iterable[Endpoint]) -> Snapshot:
        """Look each endpoint up by its two addresses: about 0.05 ms each."""
        began = time.monotonic()
        rows = {endpoint: self._look_one(endpoint) for endpoint in endpoints}
        return Snapshot(self.name, began, time.monotonic(), rows)

    def rows(self, ports: frozenset[int] = frozenset(), *, time_wait: bool = True) -> list[SocketRow]:
        """Dump the table. The kernel filters by port and state, one dump for each port and family."""
        found: dict[tuple[Endpoint, int | None], SocketRow] = {}
        for family in (inet_diag.AF_INET, inet_diag.AF_INET6):
            for port in sorted(ports) if ports else (None,):
                for row in self._dump(family, port, time_wait=time_wait):
                    found[row.endpoint, row.cookie] = row
        return list(found.values())

    def close(self) -> None:
        """Close the netlink socket."""
        self._socket.close()

    def _look_one(self, endpoint: Endpoint) -> SocketRow | None:
        sequence = next(self._sequences)
        self._send(inet_diag.request_one(endpoint, sequence))
        for row in self._answers(sequence):
            # Without a connection the kernel falls back to the listener on that port: not our endpoint.
            return row if row is not None and row.state is not TcpState.LISTEN else None
        return None

    def _dump(self, family: int, port: int | None, *, time_wait: bool) -> Iterator[SocketRow]:
        sequence = next(self._sequences)
        self._send(inet_diag.request_dump(family, sequence, port, time_wait=time_wait))
        for row in self._answers(sequence):
            if row is None:
                return
            yield row

    def _send(self, message: bytes) -> None:
        try:
            self._socket.sendto(message, (0, 0))
        except OSError as error:
            raise SourceUnavailableError(
                f"sock_diag: expected the kernel to take a request, found {error.strerror}; "
                "use another source (psutil, procfs)"
            ) from error

    def _answers(self, sequence: int) -> Iterator[SocketRow | None]:
        while True:
            try:
                datagram = self._socket.recv(_REPLY_BYTES)
            except OSError as error:
                raise SourceUnavailableError(
                    f"sock_diag: expected an answer within {_PATIENCE} s, found {error}; use another source"
                ) from error
            yield from inet_diag.parse(datagram, sequence)
