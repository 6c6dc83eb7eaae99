"""The part of a look that is the same for every technique: how far the leg itself has got.

Role: TCP state of our own socket in, `Sight` out. It must not know how a FIN was kept out.
"""

import socket

from finproxy.wire.tcp_info import KernelState, state
from finproxy.wire.technique import Sight

# RFC 9293, section 3.3.2: the states that only an accepted FIN leads to. TIME-WAIT is one too, but the fd
# says CLOSE by then; and CLOSE alone does not tell a reset from the end of both flows.
_FIN_IS_IN = {KernelState.CLOSE_WAIT, KernelState.CLOSING, KernelState.LAST_ACK}


def decided(leg: socket.socket) -> Sight | None:
    """Return ACCEPTED or ENDED, or None while no FIN has been accepted on this leg."""
    now = state(leg)
    if now in _FIN_IS_IN:
        return Sight.ACCEPTED
    return Sight.ENDED if now is KernelState.CLOSE else None
