"""Which TCP state may follow which: Figure 5 of RFC 9293 and its notes, as one table.

All knowledge of legal transitions is in this file. It must not know what was observed or expected;
matching.py asks it, and watching/ uses it to infer rungs that a look at the table missed.
"""

from collections.abc import Iterator, Sequence
from functools import cache

from harness.states import TcpState

S = TcpState

# RFC 9293 section 3.3.2, Figure 5. From every state CLOSED can follow at once, by an RST (section 3.10.7.4)
# or an ABORT call (3.10.5). Three edges are not in the drawing: FIN-WAIT-1 to TIME-WAIT (note 3: FIN and
# the ACK of our FIN in one segment), SYN-RECEIVED to CLOSE-WAIT (3.10.7.4, check of the FIN bit), and
# SYN-RECEIVED to LISTEN (note 2).
LEGAL: dict[TcpState, frozenset[TcpState]] = {
    S.CLOSED: frozenset({S.LISTEN, S.SYN_SENT}),
    S.LISTEN: frozenset({S.SYN_SENT, S.SYN_RECEIVED, S.CLOSED}),
    S.SYN_SENT: frozenset({S.SYN_RECEIVED, S.ESTABLISHED, S.CLOSED}),
    S.SYN_RECEIVED: frozenset({S.ESTABLISHED, S.FIN_WAIT_1, S.CLOSE_WAIT, S.LISTEN, S.CLOSED}),
    S.ESTABLISHED: frozenset({S.FIN_WAIT_1, S.CLOSE_WAIT, S.CLOSED}),
    S.FIN_WAIT_1: frozenset({S.FIN_WAIT_2, S.CLOSING, S.TIME_WAIT, S.CLOSED}),
    S.FIN_WAIT_2: frozenset({S.TIME_WAIT, S.CLOSED}),
    S.CLOSING: frozenset({S.TIME_WAIT, S.CLOSED}),
    S.CLOSE_WAIT: frozenset({S.LAST_ACK, S.CLOSED}),
    S.LAST_ACK: frozenset({S.CLOSED}),
    S.TIME_WAIT: frozenset({S.CLOSED}),
}


def is_legal(before: TcpState, after: TcpState) -> bool:
    """Whether `after` may follow `before` directly."""
    return after in LEGAL[before]


def is_reachable(before: TcpState, after: TcpState) -> bool:
    """Whether one connection can get from `before` to `after`; nothing is reached from CLOSED."""
    return before is after or any(True for _ in _ways(before, after))


@cache
def proven_between(before: TcpState, after: TcpState) -> Sequence[TcpState]:
    """Return, in order, the states that lie on *every* legal way from `before` to `after`, both excluded.

    From ESTABLISHED to FIN-WAIT-2 that is FIN-WAIT-1. From ESTABLISHED to TIME-WAIT it is FIN-WAIT-1 only:
    the connection may have gone through FIN-WAIT-2 or through CLOSING, and neither is proven.
    """
    ways = list(_ways(before, after))
    if not ways:
        return ()
    return tuple(state for state in ways[0] if all(state in way for way in ways))


def _ways(
    before: TcpState, after: TcpState, passed: tuple[TcpState, ...] = ()
) -> Iterator[tuple[TcpState, ...]]:
    # No way leads on from CLOSED: behind it begins another connection.
    for following in LEGAL[before] if before is not S.CLOSED else ():
        if following is after:
            yield passed
        elif following not in passed:
            yield from _ways(following, after, (*passed, following))
