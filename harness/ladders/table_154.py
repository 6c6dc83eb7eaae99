"""Table 154 of The TCP/IP Guide (connection termination), row by row, with both ends in each row.

The states are the table's; the acts are told in our own words. Data only: whoever walks the table in lock
step (the demo) does one act, waits until both ends show the row's `after` states, and goes on. This module
must not know how an act is done or how a state is seen.
"""

from dataclasses import dataclass

from harness.ladders.ladder import Ladder, LadderPair
from harness.states import TcpState

S = TcpState


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what each end does and the states both are in before and after it."""

    number: int
    client_before: TcpState
    client_act: str
    client_after: TcpState
    server_before: TcpState
    server_act: str
    server_after: TcpState

    @property
    def after(self) -> tuple[TcpState, TcpState]:
        """The states (client, server) that must be seen before the next row may begin."""
        return self.client_after, self.server_after

    def mirrored(self) -> "Row":
        """Return the same row with the server as the end that closes first."""
        return Row(
            self.number,
            self.server_before,
            self.server_act,
            self.server_after,
            self.client_before,
            self.client_act,
            self.client_after,
        )


TABLE_154: tuple[Row, ...] = (
    Row(
        1,
        S.ESTABLISHED,
        "the application closes: TCP sends a FIN",
        S.FIN_WAIT_1,
        S.ESTABLISHED,
        "nothing has arrived yet",
        S.ESTABLISHED,
    ),
    Row(
        2,
        S.FIN_WAIT_1,
        "waits for the ACK of its FIN; can still receive",
        S.FIN_WAIT_1,
        S.ESTABLISHED,
        "the FIN arrives: TCP acknowledges it and tells the application",
        S.CLOSE_WAIT,
    ),
    Row(
        3,
        S.FIN_WAIT_1,
        "the ACK of its FIN arrives",
        S.FIN_WAIT_2,
        S.CLOSE_WAIT,
        "waits for its application to close",
        S.CLOSE_WAIT,
    ),
    Row(
        4,
        S.FIN_WAIT_2,
        "waits for the server's FIN",
        S.FIN_WAIT_2,
        S.CLOSE_WAIT,
        "the application closes: TCP sends its FIN",
        S.LAST_ACK,
    ),
    Row(
        5,
        S.FIN_WAIT_2,
        "the server's FIN arrives: TCP acknowledges it",
        S.TIME_WAIT,
        S.LAST_ACK,
        "waits for the ACK of its FIN",
        S.LAST_ACK,
    ),
    Row(
        6,
        S.TIME_WAIT,
        "waits twice the maximum segment lifetime",
        S.TIME_WAIT,
        S.LAST_ACK,
        "the ACK of its FIN arrives",
        S.CLOSED,
    ),
    Row(
        7,
        S.TIME_WAIT,
        "the wait is over",
        S.CLOSED,
        S.CLOSED,
        "is closed",
        S.CLOSED,
    ),
    Row(
        8,
        S.CLOSED,
        "is closed",
        S.CLOSED,
        S.CLOSED,
        "is closed",
        S.CLOSED,
    ),
)


def _ladder(states: tuple[TcpState, ...], side: str) -> Ladder:
    kept = [state for index, state in enumerate(states) if index == 0 or states[index - 1] is not state]
    return Ladder.parse(" > ".join(kept), name=f"Table 154, {side}", source="The TCP/IP Guide, Table 154")


# The two columns of the table, read downwards.
TABLE_154_LADDERS = LadderPair(
    _ladder((TABLE_154[0].client_before, *(row.client_after for row in TABLE_154)), "client"),
    _ladder((TABLE_154[0].server_before, *(row.server_after for row in TABLE_154)), "server"),
    "Table 154",
)
