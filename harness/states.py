"""The eleven TCP states of RFC 9293 section 3.3.2, and how each system spells them.

Knows names and numbers only. It must not know which state may follow which (ladders/legal.py) nor where a
state was read from (sources/).
"""

from enum import StrEnum

from harness.errors import UsageError


class TcpState(StrEnum):
    """A state of a TCP endpoint. The value is the RFC's spelling, which is what users read and write."""

    LISTEN = "LISTEN"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"
    CLOSED = "CLOSED"


# include/net/tcp_states.h. 12 is a connection request not yet promoted to a socket; 13 is a socket that is
# bound but neither listens nor connects (sock_diag shows it since Linux 6.6).
KERNEL: dict[int, TcpState] = {
    1: TcpState.ESTABLISHED,
    2: TcpState.SYN_SENT,
    3: TcpState.SYN_RECEIVED,
    4: TcpState.FIN_WAIT_1,
    5: TcpState.FIN_WAIT_2,
    6: TcpState.TIME_WAIT,
    7: TcpState.CLOSED,
    8: TcpState.CLOSE_WAIT,
    9: TcpState.LAST_ACK,
    10: TcpState.LISTEN,
    11: TcpState.CLOSING,
    12: TcpState.SYN_RECEIVED,
    13: TcpState.CLOSED,
}

# What the tracepoint sock:inet_sock_set_state prints (its format file's __print_symbolic table).
TRACEPOINT: dict[str, TcpState] = {
    "TCP_ESTABLISHED": TcpState.ESTABLISHED,
    "TCP_SYN_SENT": TcpState.SYN_SENT,
    "TCP_SYN_RECV": TcpState.SYN_RECEIVED,
    "TCP_FIN_WAIT1": TcpState.FIN_WAIT_1,
    "TCP_FIN_WAIT2": TcpState.FIN_WAIT_2,
    "TCP_TIME_WAIT": TcpState.TIME_WAIT,
    "TCP_CLOSE": TcpState.CLOSED,
    "TCP_CLOSE_WAIT": TcpState.CLOSE_WAIT,
    "TCP_LAST_ACK": TcpState.LAST_ACK,
    "TCP_LISTEN": TcpState.LISTEN,
    "TCP_CLOSING": TcpState.CLOSING,
    "TCP_NEW_SYN_RECV": TcpState.SYN_RECEIVED,
}

# psutil.CONN_*; DELETE_TCB exists on Windows only: the control block is being thrown away.
PSUTIL: dict[str, TcpState] = {
    "ESTABLISHED": TcpState.ESTABLISHED,
    "SYN_SENT": TcpState.SYN_SENT,
    "SYN_RECV": TcpState.SYN_RECEIVED,
    "FIN_WAIT1": TcpState.FIN_WAIT_1,
    "FIN_WAIT2": TcpState.FIN_WAIT_2,
    "TIME_WAIT": TcpState.TIME_WAIT,
    "CLOSE": TcpState.CLOSED,
    "CLOSE_WAIT": TcpState.CLOSE_WAIT,
    "LAST_ACK": TcpState.LAST_ACK,
    "LISTEN": TcpState.LISTEN,
    "CLOSING": TcpState.CLOSING,
    "DELETE_TCB": TcpState.CLOSED,
}

# The State column of ss(8).
SS: dict[str, TcpState] = {
    "ESTAB": TcpState.ESTABLISHED,
    "SYN-SENT": TcpState.SYN_SENT,
    "SYN-RECV": TcpState.SYN_RECEIVED,
    "FIN-WAIT-1": TcpState.FIN_WAIT_1,
    "FIN-WAIT-2": TcpState.FIN_WAIT_2,
    "TIME-WAIT": TcpState.TIME_WAIT,
    "UNCONN": TcpState.CLOSED,
    "CLOSE-WAIT": TcpState.CLOSE_WAIT,
    "LAST-ACK": TcpState.LAST_ACK,
    "LISTEN": TcpState.LISTEN,
    "CLOSING": TcpState.CLOSING,
}

# tcpstates[] of the BSD netstat(1), macOS included.
BSD: dict[str, TcpState] = {
    "ESTABLISHED": TcpState.ESTABLISHED,
    "SYN_SENT": TcpState.SYN_SENT,
    "SYN_RCVD": TcpState.SYN_RECEIVED,
    "FIN_WAIT_1": TcpState.FIN_WAIT_1,
    "FIN_WAIT_2": TcpState.FIN_WAIT_2,
    "TIME_WAIT": TcpState.TIME_WAIT,
    "CLOSED": TcpState.CLOSED,
    "CLOSE_WAIT": TcpState.CLOSE_WAIT,
    "LAST_ACK": TcpState.LAST_ACK,
    "LISTEN": TcpState.LISTEN,
    "CLOSING": TcpState.CLOSING,
}


def _fold(spelling: str) -> str:
    return spelling.strip().upper().replace("_", "-")


_BY_SPELLING: dict[str, TcpState] = {
    **{_fold(state): state for state in TcpState},
    **{_fold(name): state for table in (TRACEPOINT, PSUTIL, SS, BSD) for name, state in table.items()},
}


def parse_state(text: str) -> TcpState:
    """Return the state that `text` spells, in the RFC's or any system's way ("FIN-WAIT-1", "fin_wait1", ...).

    Raises:
        UsageError: no system spells a TCP state like this; the message lists the RFC's names.

    """
    try:
        return _BY_SPELLING[_fold(text)]
    except KeyError:
        names = ", ".join(TcpState)
        raise UsageError(
            f"expected a TCP state ({names}), found {text!r}; write one of these names"
        ) from None
