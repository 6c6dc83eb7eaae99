"""The one place where sources are chosen: what was asked for, or the best that works here, with the reasons.

Automatic choice tries to *open* each source and takes the first that opens; versions are never compared. Each
source that had to be passed over leaves a sentence in `notes`. This module must not know what is watched.
"""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.errors import SourceUnavailableError, UsageError
from harness.sources.base import EventSource, TableSource

NAMES = ("sock_diag", "procfs", "psutil", "tracepoint")


@dataclass(frozen=True, slots=True)
class Sources:
    """A table source, an event source, or both; and why not others."""

    table: TableSource | None
    events: EventSource | None
    notes: tuple[str, ...] = ()

    def close(self) -> None:
        """Close both."""
        for source in (self.table, self.events):
            if source is not None:
                source.close()


def choose(
    asked: "str | TableSource | Iterable[str | TableSource] | None" = None,
    *,
    pid: int | None = None,
) -> Sources:
    """Open the sources that `asked` names, or without it the best ones.

    `asked` is a name of NAMES, an open table source (an agent elsewhere, TcpInfo of own sockets), or several
    of these. `pid` selects the network namespace of that process.

    Raises SourceUnavailableError if a source that was named does not work, or if none does; UsageError for
    an unknown name. Both say what to do.
    """
    if asked is not None:
        return _named(asked, _pid_of_other_namespace(pid))
    pid = _pid_of_other_namespace(pid)
    notes: list[str] = []
    table = _first_that_opens(_table_candidates(pid), notes)
    return Sources(table, _events_if_possible(pid, notes), tuple(notes))


def best_table(pid: int | None = None) -> TableSource:
    """Open the best table source for the network namespace of `pid`, or for ours."""
    return _first_that_opens(_table_candidates(_pid_of_other_namespace(pid)), [])


def _pid_of_other_namespace(pid: int | None) -> int | None:
    """Return `pid` if it lives in another network namespace; from our own the faster sources can read."""
    if pid is None or not sys.platform.startswith("linux"):
        return None
    from harness.sources.owners import shares_our_network

    return None if shares_our_network(pid) else pid


def _table_candidates(pid: int | None) -> Iterable[tuple[str, Callable[[], TableSource]]]:
    if pid is not None:
        # Only procfs can look into another namespace without entering it.
        yield "procfs", lambda: _open_table("procfs", pid)
        return
    names = ("sock_diag", "procfs", "psutil") if sys.platform.startswith("linux") else ("psutil",)
    for name in names:
        yield name, lambda name=name: _open_table(name, None)  # type: ignore[misc]


def _first_that_opens(
    candidates: Iterable[tuple[str, Callable[[], TableSource]]], notes: list[str]
) -> TableSource:
    refusals: list[str] = []
    for name, opening in candidates:
        try:
            table = opening()
            # A source that opens but refuses to answer (psutil on macOS without root) is no source.
            table.look(())
        except SourceUnavailableError as error:
            refusals.append(str(error))
        else:
            notes.extend(f"{refusal}; using {name} instead" for refusal in refusals)
            return table
    raise SourceUnavailableError("no source of socket rows works here: " + "; ".join(refusals))


def _events_if_possible(pid: int | None, notes: list[str]) -> EventSource | None:
    if not sys.platform.startswith("linux"):
        return None
    if pid is not None:
        # The tracepoint does not say which namespace a socket is in; loopback addresses repeat in each.
        notes.append(
            "tracepoint: not used, it cannot tell namespaces apart; states between two looks may stay unseen"
        )
        return None
    if os.geteuid() != 0:
        notes.append("tracepoint: not used, it needs root; states between two looks may stay unseen")
        return None
    try:
        events = _open_events()
    except SourceUnavailableError as error:
        notes.append(str(error))
        return None
    notes.extend(events.remarks)
    return events


def _named(asked: "str | TableSource | Iterable[str | TableSource]", pid: int | None) -> Sources:
    wanted = [asked] if isinstance(asked, str) or not isinstance(asked, Iterable) else list(asked)
    table: TableSource | None = None
    events: EventSource | None = None
    for item in wanted:
        if item == "tracepoint":
            events = _open_events()
        elif isinstance(item, str):
            table = _open_table(item, pid)
        else:
            table = item
    if table is None and events is None:
        raise UsageError(f"expected at least one source of {', '.join(NAMES)}, found none; name one")
    return Sources(table, events, events.remarks if events is not None else ())


def _open_table(name: str, pid: int | None) -> TableSource:
    # Imported here: each module imports what only its own system has, and psutil takes 40 ms.
    if name == "procfs":
        from harness.sources.procfs import Procfs

        return Procfs(pid)
    if pid is not None:
        raise SourceUnavailableError(
            f"{name}: expected this process's network namespace, found the one of process {pid}; use procfs"
        )
    if name == "sock_diag":
        from harness.sources.sock_diag import SockDiag

        return SockDiag()
    if name == "psutil":
        from harness.sources.psutil import Psutil

        return Psutil()
    raise UsageError(f"expected a source ({', '.join(NAMES)}), found {name!r}; write one of these names")


def _open_events() -> EventSource:
    from harness.sources.tracepoint import Tracepoint

    return Tracepoint()


def descriptions() -> dict[str, str]:
    """Return, for each source that can be named, what it sees and what it is blind to."""
    from harness.sources.procfs import Procfs
    from harness.sources.psutil import Psutil
    from harness.sources.sock_diag import SockDiag
    from harness.sources.tracepoint import Tracepoint

    sources = (SockDiag, Procfs, Psutil, Tracepoint)
    return {source.name: f"sees {source.sees}; blind to {source.blind_to}" for source in sources}
