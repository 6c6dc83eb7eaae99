"""Sockets that somebody forgot: stuck in CLOSE-WAIT, FIN-WAIT-2 with an owner, LAST-ACK, or with unread data.

Reads rows once and judges them. TIME-WAIT is never a leak: it is how TCP ends well. This module must not
know which program is tested.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.errors import UsageError
from harness.ladders.ladder import format_duration
from harness.rows import Owner, SocketRow
from harness.sources.base import TableSource
from harness.sources.choice import best_table, choose
from harness.states import TcpState

S = TcpState

_STUCK = {
    S.CLOSE_WAIT: "the peer has closed, this end has not: close() was forgotten",
    S.FIN_WAIT_2: "half-closed by its owner, who waits for the peer's FIN without any timer",
    S.LAST_ACK: "the ACK of its FIN has not come",
}


@dataclass(frozen=True, slots=True)
class Leak:
    """A row, why it counts as leaked, for how many seconds the peer has been silent, and who holds it.

    `silent_for` is None where the source does not tell (procfs, psutil).
    """

    row: SocketRow
    why: str
    silent_for: float | None
    owner: Owner | None

    def __str__(self) -> str:
        since = "" if self.silent_for is None else f", nothing heard for {format_duration(self.silent_for)}"
        owner = str(self.owner) if self.owner is not None else "owner unknown"
        return f"{self.row.endpoint} {self.row.state}{since}, {owner}: {self.why}"


def leaks(
    *,
    pid: int | None = None,
    port: int | None = None,
    older_than: float = 0.0,
    source: str | TableSource | None = None,
) -> list[Leak]:
    """Return the leaked sockets of a process or of a port (on either end).

    `older_than`: leave out sockets whose peer was heard within so many seconds, where the source tells.

    Raises UsageError without pid and port; SourceUnavailableError if the process has ended or belongs to
    another user, or if no source works here. An empty list means that rows were read and none is leaked.
    """
    if pid is None and port is None:
        raise UsageError(
            "expected a pid or a port whose leaks to look for, found neither; give pid= or port="
        )
    rows = _rows(pid, frozenset() if port is None else frozenset({port}), source)
    found = (Leak(row, why, row.silent_for, row.owner) for row in rows if (why := why_leaked(row)))
    return [leak for leak in found if leak.silent_for is None or leak.silent_for >= older_than]


def why_leaked(row: SocketRow) -> str:
    """Return why `row` counts as leaked, "" if it does not."""
    if row.state is S.FIN_WAIT_2 and (row.is_orphan or (row.inode is None and row.owner is None)):
        return ""  # the kernel ends it after tcp_fin_timeout
    if row.state in _STUCK:
        return _STUCK[row.state]
    if row.receive_queue and row.state not in {S.LISTEN, S.TIME_WAIT}:
        return f"{row.receive_queue} bytes were received and never read; closing it will send RST"
    return ""


def _rows(pid: int | None, ports: frozenset[int], source: str | TableSource | None) -> Iterable[SocketRow]:
    # Leaks are read once, so only a table is opened: events would cost and tell nothing.
    table = best_table(pid) if source is None else choose(source, pid=pid).table
    if table is None:
        raise UsageError("expected a source with a table, found only events; use sock_diag, procfs or psutil")
    try:
        rows = table.rows(ports)
    finally:
        table.close()
    return _with_owners(rows) if pid is None else _of_process(rows, pid)


def _with_owners(rows: Iterable[SocketRow]) -> list[SocketRow]:
    from harness.sources.owners import find_owners

    listed = list(rows)
    owners = find_owners({row.inode for row in listed if row.inode and why_leaked(row)})
    return [replace(row, owner=row.owner or owners.get(row.inode or 0)) for row in listed]


def _of_process(rows: Iterable[SocketRow], pid: int) -> list[SocketRow]:
    from harness.sources.owners import sockets_of
    from harness.sources.psutil import owner_of

    listed = list(rows)
    if any(row.inode is not None for row in listed):
        inodes, owner = sockets_of(pid), owner_of(pid)
        return [replace(row, owner=owner) for row in listed if row.inode in inodes]
    return [row for row in listed if row.owner is not None and row.owner.pid == pid]
