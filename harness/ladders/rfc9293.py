"""The closing ladders of RFC 9293, named, for one endpoint and for both ends.

Data only. Each names the section it comes from. This module must not know how a ladder is matched.
"""

from harness.ladders.ladder import Ladder, LadderPair

ACTIVE_CLOSE = Ladder.parse(
    "ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT",
    name="active close",
    source="RFC 9293 section 3.6.1, Figure 12, peer A",
)
PASSIVE_CLOSE = Ladder.parse(
    "ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED",
    name="passive close",
    source="RFC 9293 section 3.6.1, Figure 12, peer B",
)
SIMULTANEOUS_CLOSE = Ladder.parse(
    "ESTABLISHED > FIN-WAIT-1 > CLOSING > TIME-WAIT",
    name="simultaneous close",
    source="RFC 9293 section 3.6.1, Figure 13",
)
HALF_CLOSED_BY_US = Ladder.parse(
    "ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2",
    name="half-closed by this end",
    source="RFC 9293 section 3.6, case 1: the user may go on to receive",
)
HALF_CLOSED_BY_PEER = Ladder.parse(
    "ESTABLISHED > CLOSE-WAIT",
    name="half-closed by the peer",
    source="RFC 9293 section 3.6, case 2: the user may go on to send",
)
ABORT_SENT = Ladder.parse(
    "ESTABLISHED > CLOSED", name="abort sent", source="RFC 9293 section 3.10.5", reset="sent"
)
ABORT_RECEIVED = Ladder.parse(
    "ESTABLISHED > CLOSED",
    name="abort received",
    source="RFC 9293 section 3.10.7.4, second check",
    reset="received",
)

CLIENT_CLOSES_FIRST = LadderPair(ACTIVE_CLOSE, PASSIVE_CLOSE, "client closes first")
SERVER_CLOSES_FIRST = LadderPair(PASSIVE_CLOSE, ACTIVE_CLOSE, "server closes first")
BOTH_CLOSE_AT_ONCE = LadderPair(SIMULTANEOUS_CLOSE, SIMULTANEOUS_CLOSE, "simultaneous close")
CLIENT_HALF_CLOSES = LadderPair(HALF_CLOSED_BY_US, HALF_CLOSED_BY_PEER, "client half-closes")
SERVER_HALF_CLOSES = LadderPair(HALF_CLOSED_BY_PEER, HALF_CLOSED_BY_US, "server half-closes")
CLIENT_ABORTS = LadderPair(ABORT_SENT, ABORT_RECEIVED, "client aborts")
SERVER_ABORTS = LadderPair(ABORT_RECEIVED, ABORT_SENT, "server aborts")
