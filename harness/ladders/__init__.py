"""Ladders: the sequences of TCP states that are prescribed, and their comparison with real ones.

The façade of the package: import ladders, the tables and `match` from here. It must not know where
transitions come from.
"""

from harness.ladders.ladder import Ladder, LadderPair, Rung, as_ladder
from harness.ladders.matching import Finding, FindingKind, Match, match
from harness.ladders.rfc9293 import (
    ABORT_RECEIVED,
    ABORT_SENT,
    ACTIVE_CLOSE,
    BOTH_CLOSE_AT_ONCE,
    CLIENT_ABORTS,
    CLIENT_CLOSES_FIRST,
    CLIENT_HALF_CLOSES,
    HALF_CLOSED_BY_PEER,
    HALF_CLOSED_BY_US,
    PASSIVE_CLOSE,
    SERVER_ABORTS,
    SERVER_CLOSES_FIRST,
    SERVER_HALF_CLOSES,
    SIMULTANEOUS_CLOSE,
)
from harness.ladders.table_154 import TABLE_154, TABLE_154_LADDERS, Row

__all__ = [
    "ABORT_RECEIVED",
    "ABORT_SENT",
    "ACTIVE_CLOSE",
    "BOTH_CLOSE_AT_ONCE",
    "CLIENT_ABORTS",
    "CLIENT_CLOSES_FIRST",
    "CLIENT_HALF_CLOSES",
    "HALF_CLOSED_BY_PEER",
    "HALF_CLOSED_BY_US",
    "PASSIVE_CLOSE",
    "SERVER_ABORTS",
    "SERVER_CLOSES_FIRST",
    "SERVER_HALF_CLOSES",
    "SIMULTANEOUS_CLOSE",
    "TABLE_154",
    "TABLE_154_LADDERS",
    "Finding",
    "FindingKind",
    "Ladder",
    "LadderPair",
    "Match",
    "Row",
    "Rung",
    "as_ladder",
    "match",
]
