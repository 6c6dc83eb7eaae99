"""What every source of socket rows offers, and nothing about any operating system.

A table source is asked, an event source tells. The watcher works with any of the first kind, of the second,
or with one of each. This module must not know which sources exist.
"""

from collections.abc import Iterable
from typing import Protocol

from harness.rows import Endpoint, Snapshot, SocketRow
from harness.states import TcpState
from harness.transitions import KernelEvent


class TableSource(Protocol):
    """Answers which rows the system's socket table holds at this moment.

    `sees` and `blind_to` are one sentence each, for people: what this source shows and what it cannot show.
    `misses_rows` says that a row can be absent from one look though its socket is there: only a row absent
    twice in a row is then believed to be gone.
    """

    name: str
    sees: str
    blind_to: str
    misses_rows: bool

    def look(self, endpoints: Iterable[Endpoint]) -> Snapshot:
        """Look `endpoints` up. Raises SourceUnavailableError if the table cannot be read any more."""
        ...

    def rows(self, ports: frozenset[int] = frozenset(), *, time_wait: bool = True) -> list[SocketRow]:
        """Return all TCP rows with one of `ports` as local or remote port; all rows if `ports` is empty.

        Without those in TIME-WAIT if `time_wait` is False: a busy machine has ten thousands of them.
        """
        ...

    def close(self) -> None:
        """Give back whatever is held. May be called twice."""
        ...


class EventSource(Protocol):
    """Tells each transition as it happens. `fileno` becomes readable when there is something to read.

    `remarks` are sentences for people about what opening this source has changed on the machine.
    """

    name: str
    sees: str
    blind_to: str
    remarks: tuple[str, ...]

    @property
    def lost(self) -> int:
        """How many events the kernel threw away because they were read too late."""
        ...

    @property
    def sees_resets(self) -> bool:
        """Whether RSTs are reported too, so that their absence means something."""
        ...

    @property
    def has_waiting(self) -> bool:
        """Whether the next read() will return something although the descriptor is silent."""
        ...

    def fileno(self) -> int:
        """Return a file descriptor to wait on."""
        ...

    def read(self) -> list[KernelEvent]:
        """Return what has happened since the last call, oldest first, without blocking."""
        ...

    def narrow(self, ports: frozenset[int]) -> None:
        """Leave out events of connections with none of `ports`, where that saves work."""
        ...

    def close(self) -> None:
        """Give back whatever is held. May be called twice."""
        ...


def wanted(row: SocketRow, ports: frozenset[int], *, time_wait: bool = True) -> bool:
    """Whether `row` belongs to a dump filtered by `ports`, and of TIME-WAIT unless they are wanted."""
    if row.state is TcpState.TIME_WAIT and not time_wait:
        return False
    return not ports or row.endpoint.local.port in ports or row.endpoint.remote.port in ports
