"""What every technique asks of its own leg, and the one thing each does to it at the end.

Role: TCP state in, `Sight` out; and an ACK that does not dawdle. It must not know how a FIN was kept out.
"""

import socket

from finproxy.wire.tcp_info import KernelState, state
from finproxy.wire.technique import Sight

TCP_QUICKACK = 12  # include/uapi/linux/tcp.h; absent from the socket module off Linux

# RFC 9293, section 3.3.2: the states that only an accepted FIN leads to. TIME-WAIT is one too, but the fd
# says CLOSED by then; and CLOSED alone does not tell a reset from the end of both flows.
_FIN_IS_IN = {KernelState.CLOSE_WAIT, KernelState.CLOSING, KernelState.LAST_ACK}


def decided(leg: socket.socket) -> Sight | None:
    """Return ACCEPTED or ENDED, or None while no FIN has been accepted on this leg."""
    now = state(leg)
    if now in _FIN_IS_IN:
        return Sight.ACCEPTED
    return Sight.ENDED if now is KernelState.CLOSED else None


def is_open(leg: socket.socket) -> bool:
    """Return whether this process still has the leg's fd: without it there is nothing left to undo."""
    return leg.fileno() >= 0


def acknowledge(leg: socket.socket) -> None:
    """Send the ACK of an accepted FIN now, if it has not left yet.

    The kernel may delay it for 4 to 40 ms (RFC 1122, section 4.2.3.2), and the peer would stay in FIN-WAIT-1
    for as long. It has an effect only when all that came in has been read, EOF included: until then the
    kernel means to send the ACK together with a window update.
    """
    if is_open(leg):
        leg.setsockopt(socket.IPPROTO_TCP, TCP_QUICKACK, 1)
