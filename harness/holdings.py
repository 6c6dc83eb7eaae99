"""Which sockets there are on this machine, each with its owner; and how they are told in one line.

This module must not know which program they are looked up for.
"""

from dataclasses import replace

from harness.rows import SocketRow
from harness.sources.choice import best_table
from harness.states import TcpState


def all_sockets(ports: frozenset[int] = frozenset(), *, time_wait: bool = True) -> list[SocketRow]:
    """All TCP sockets of this network namespace, or those with one of `ports` at either end, with owners.

    Owners are those that this user may see; what is in TIME-WAIT has none, and may be left out.

    Raises:
        SourceUnavailableError: no table can be read here.

    """
    return _with_owners(_rows(ports, time_wait=time_wait))


def listeners(port: int) -> list[SocketRow]:
    """The sockets that listen on a port, with their owners.

    Raises:
        SourceUnavailableError: no table can be read here.

    """
    rows = _rows(frozenset({port}))
    return _with_owners([row for row in rows if row.state is TcpState.LISTEN])


def described(row: SocketRow) -> str:
    """A socket in one line: addresses, state, owner."""
    return f"{row.endpoint} {row.state}, {row.owner or 'without owner'}"


def _rows(ports: frozenset[int] = frozenset(), *, time_wait: bool = True) -> list[SocketRow]:
    table = best_table()
    try:
        return table.rows(ports, time_wait=time_wait)
    finally:
        table.close()


def _with_owners(rows: list[SocketRow]) -> list[SocketRow]:
    from harness.sources.owners import find_owners

    owners = find_owners({row.inode for row in rows if row.inode})
    return [replace(row, owner=row.owner or owners.get(row.inode or 0)) for row in rows]
