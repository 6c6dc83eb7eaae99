"""The source tcp_info: getsockopt(TCP_INFO) on sockets that this process itself holds (the proxy's own legs).

Exact and cheap, and reading it consumes nothing, but it ends with the file descriptor: TIME-WAIT can never
be seen on it. Layout: struct tcp_info in include/uapi/linux/tcp.h. This module must not know what rows
mean.
"""

import socket
import sys
import time
from collections.abc import Iterable

from harness import states
from harness.errors import SourceUnavailableError
from harness.rows import Endpoint, Snapshot, SocketRow
from harness.sources.base import wanted

_LENGTH = 104


class TcpInfo:
    """Looks at the sockets it was given. Their addresses are read once, while they are still connected."""

    name = "tcp_info"
    sees = "the state of sockets that this process holds, at once and without any table"
    blind_to = "TIME-WAIT (the file descriptor then says CLOSED), orphans, sockets of other processes"
    misses_rows = False

    def __init__(self, *sockets: socket.socket) -> None:
        if not sys.platform.startswith("linux"):
            raise SourceUnavailableError(
                f"tcp_info: expected Linux, found {sys.platform}; use the source psutil"
            )
        self._sockets = {_endpoint(item): item for item in sockets}

    def look(self, endpoints: Iterable[Endpoint]) -> Snapshot:
        """Read TCP_INFO of the endpoints that are our sockets and still open; the others have no row."""
        began = time.monotonic()
        rows = {endpoint: self._row(endpoint) for endpoint in endpoints}
        return Snapshot(self.name, began, time.monotonic(), rows)

    def rows(self, ports: frozenset[int] = frozenset()) -> list[SocketRow]:
        """Read TCP_INFO of all our sockets that are still open."""
        rows = (self._row(endpoint) for endpoint in self._sockets)
        return [row for row in rows if row is not None and wanted(row, ports)]

    def close(self) -> None:
        """Nothing is held: the sockets belong to the caller."""

    def _row(self, endpoint: Endpoint) -> SocketRow | None:
        held = self._sockets.get(endpoint)
        if held is None or held.fileno() < 0:
            return None
        packed = held.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LENGTH)
        return SocketRow(endpoint=endpoint, state=decode_state(packed), source=self.name)


def decode_state(packed: bytes) -> states.TcpState:
    """Return the state in a struct tcp_info."""
    return states.KERNEL[packed[0]]


def _endpoint(item: socket.socket) -> Endpoint:
    try:
        return Endpoint.of((item.getsockname(), item.getpeername()))
    except OSError as error:
        raise SourceUnavailableError(
            f"tcp_info: expected a connected socket, found {error.strerror}; give it while it is connected"
        ) from error
