"""How many sessions the system's limit on open files leaves room for. Knows nothing of what they are."""

from __future__ import annotations

import resource

from ..errors import FinproxyError

_FDS_APART = 64
"""Descriptors kept for everything that is not a session: standard streams, journal, epoll, listeners."""


def room_for_sessions(wanted: int | None) -> int:
    """Raise the limit on open files as far as allowed; how many sessions (two each) it leaves room for.

    Raises:
        FinproxyError: `wanted` sessions do not fit.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = (hard - _FDS_APART) // 2 if hard != resource.RLIM_INFINITY else 1_000_000
    if wanted is not None and wanted > room:
        raise FinproxyError(
            f"{wanted} sessions at once need {2 * wanted + _FDS_APART} open files, the limit is {hard}: "
            f"raise it (ulimit -Hn), or allow at most {room} sessions"
        )
    return room if wanted is None else wanted
