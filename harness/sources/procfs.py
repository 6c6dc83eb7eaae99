"""The source procfs: /proc/net/tcp and tcp6, the fallback of sock_diag and the view into another namespace.

Format: Documentation/networking/proc_net_tcp.rst. Reading it costs as much as the table is long. This
module must not know what rows mean.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from io import FileIO
from ipaddress import ip_address
from pathlib import Path

from harness import states
from harness.errors import SourceUnavailableError
from harness.rows import Address, Endpoint, Snapshot, SocketRow, Timer
from harness.sources.base import wanted
from harness.states import TcpState

_TIMERS = {1: "retransmit", 2: "keepalive", 3: "time-wait", 4: "zero-window probe"}
_TICKS_PER_SECOND = (
    100  # USER_HZ: what the kernel converts its jiffies to in this file, on every architecture
)


class Procfs:
    """Reads the socket tables of this process's network namespace, or of the one that `pid` lives in.

    The files are opened once and stay open: an open file keeps its namespace readable when `pid` has ended.
    """

    name = "procfs"
    sees = "every TCP state, TIME-WAIT and orphans included; another network namespace through a pid in it"
    blind_to = "states shorter than the time between two looks; cookies; rows can repeat or be missed"
    misses_rows = True

    def __init__(self, pid: int | None = None) -> None:
        folder = Path("/proc") / ("self" if pid is None else str(pid)) / "net"
        if not sys.platform.startswith("linux"):
            raise SourceUnavailableError(
                f"procfs: expected Linux, found {sys.platform}; use the source psutil"
            )
        self._files = [_open(folder / "tcp", pid)]
        if (folder / "tcp6").exists():  # absent where the kernel runs without IPv6
            self._files.append(_open(folder / "tcp6", pid))

    def look(self, endpoints: Iterable[Endpoint]) -> Snapshot:
        """Read the whole table and keep the rows of `endpoints`."""
        began = time.monotonic()
        found: dict[Endpoint, SocketRow | None] = dict.fromkeys(endpoints)
        for row in self.rows():
            if row.endpoint in found and row.state is not TcpState.LISTEN:
                found[row.endpoint] = row
        return Snapshot(self.name, began, time.monotonic(), found)

    def rows(self, ports: frozenset[int] = frozenset(), *, time_wait: bool = True) -> list[SocketRow]:
        """Read the whole table and keep the rows with one of `ports`."""
        rows = (row for file in self._files for row in parse(_read(file)))
        return [row for row in rows if wanted(row, ports, time_wait=time_wait)]

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def parse(text: str) -> Iterator[SocketRow]:
    """Yield the rows of one table. A line that is cut off is skipped: the file is not read atomically."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 10:
            yield _parse_line(fields)


def _parse_line(fields: list[str]) -> SocketRow:
    # sl local remote state tx:rx timer:expires retransmits uid probes inode ...
    unsent, received = fields[4].split(":")
    timer, expires = fields[5].split(":")
    kind = _TIMERS.get(int(timer, 16))
    return SocketRow(
        endpoint=Endpoint(_parse_address(fields[1]), _parse_address(fields[2])),
        state=states.KERNEL[int(fields[3], 16)],
        source="procfs",
        inode=int(fields[9]),
        uid=int(fields[7]),
        receive_queue=int(received, 16),
        send_queue=int(unsent, 16),
        timer=Timer(kind, int(expires, 16) / _TICKS_PER_SECOND, int(fields[6], 16)) if kind else None,
    )


def _parse_address(text: str) -> Address:
    host, port = text.split(":")
    # Addresses are printed as 32-bit words in the machine's byte order.
    words = (int(host[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(host), 8))
    return Address.of((str(ip_address(b"".join(words))), int(port, 16)))


def _open(path: Path, pid: int | None) -> FileIO:
    try:
        return FileIO(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError as error:
        missing = "/proc mounted" if pid is None else f"a running process {pid}"
        raise SourceUnavailableError(
            f"procfs: expected {missing}, found no {path}; mount /proc or name a process that is alive"
        ) from error
    except OSError as error:
        raise SourceUnavailableError(
            f"procfs: expected to read {path}, found {error.strerror}; run as root or use another source"
        ) from error


def _read(file: FileIO) -> str:
    try:
        file.seek(0)
        return file.readall().decode("ascii", "replace")
    except (OSError, ValueError) as error:
        raise SourceUnavailableError(
            f"procfs: expected to read the socket table again, found {error}; watch again"
        ) from error
