"""The source psutil: the socket table of any system that psutil supports, with the owner in each row.

Its cost grows with the number of sockets and processes. This module must not know what rows mean, and is
the only one of the harness that asks psutil for sockets.
"""

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import psutil

from harness import states
from harness.errors import SourceUnavailableError
from harness.rows import Address, Endpoint, Owner, Snapshot, SocketRow
from harness.sources.base import wanted
from harness.states import TcpState


class Psutil:
    """Asks psutil for all TCP sockets of the machine (of this network namespace on Linux)."""

    name = "psutil"
    sees = "TCP states with their owners on every system; where a state is held, sampling is enough"
    blind_to = "states shorter than the time between two looks; queues, timers, cookies; macOS needs root"
    misses_rows = True

    def look(self, endpoints: Iterable[Endpoint]) -> Snapshot:
        """List all sockets and keep those of `endpoints`: 13 ms with 24 sockets, 0.5 s with 17,000."""
        began = time.monotonic()
        found: dict[Endpoint, SocketRow | None] = dict.fromkeys(endpoints)
        for item in _listed():
            row = _row(item)
            if row.endpoint in found and row.state is not TcpState.LISTEN:
                found[row.endpoint] = replace(row, owner=owner_of(item.pid))
        return Snapshot(self.name, began, time.monotonic(), found)

    def rows(self, ports: frozenset[int] = frozenset(), *, time_wait: bool = True) -> list[SocketRow]:
        """List all sockets and keep those with one of `ports`."""
        rows = ((item, _row(item)) for item in _listed())
        kept = ((item, row) for item, row in rows if wanted(row, ports, time_wait=time_wait))
        return [replace(row, owner=owner_of(item.pid)) for item, row in kept]

    def close(self) -> None:
        """Nothing is held."""


def _listed() -> list[Any]:
    try:
        listed = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied as error:
        raise SourceUnavailableError(
            "psutil: expected to list the machine's sockets, found permission denied; run as root"
        ) from error
    except OSError as error:
        raise SourceUnavailableError(
            f"psutil: expected to list the machine's sockets, found {error}; use another source"
        ) from error
    return [item for item in listed if item.laddr and item.status in states.PSUTIL]


def _row(item: Any) -> SocketRow:
    # The owner is not looked up here: that costs more than the row, and most rows are thrown away.
    remote = item.raddr or ("::" if ":" in item.laddr.ip else "0.0.0.0", 0)
    return SocketRow(
        endpoint=Endpoint(Address.of(tuple(item.laddr)), Address.of(tuple(remote))),
        state=states.PSUTIL[item.status],
        source="psutil",
    )


def owner_of(pid: int | None) -> Owner | None:
    """Return who runs as `pid`; None if nobody does any more or nobody may know."""
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return Owner(pid, process.name(), " ".join(process.cmdline()))
    except psutil.AccessDenied:
        return Owner(pid, "?")
    except psutil.NoSuchProcess:
        return None
