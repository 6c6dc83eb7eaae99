"""Technique "zero-window": nobody reads, the window shuts, and the peer's FIN queues behind its data.

Role: a small receive buffer, and an honest look at the window. It must not read: that is the relay's part. It
needs no privilege and no cooperation of the peer, because TCP itself holds the FIN (RFC 9293, section 3.8.6:
a sender may not send beyond the window). Hence its two limits: it holds a FIN only behind enough pending
bytes, and nothing on this side can tell whether a FIN is among what waits.
"""

import socket

from finproxy.wire import tcp_info
from finproxy.wire.leg import acknowledge, decided, is_open
from finproxy.wire.proof import prove
from finproxy.wire.technique import Abilities, Keep, Probe, Sight, Technique, WireError, WireHold

SMALL = 4096
"""Bytes asked for as SO_RCVBUF: the kernel doubles it for its own bookkeeping, see socket(7)."""
AMPLE = 1024 * 1024
"""Bytes asked for after release, so that a relay which reads again is not throttled by the small buffer."""


class ZeroWindow(Technique):
    """Holds a FIN behind data that nobody reads. Any Linux, any user."""

    name = "zero-window"
    abilities = Abilities(
        bare_fin=False, overtake=False, instant_release=True, sees_fin=False, stops_reading=True
    )

    def probe(self) -> Probe:
        """See `Technique.probe`. Takes some milliseconds."""
        return prove(self)

    def prepare(self, sock: socket.socket, keep: Keep = Keep.FIN) -> None:
        """See `Technique.prepare`. After the handshake it would be too late: a window once offered stays."""
        _refuse_overtake(keep)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)

    def hold(self, leg: socket.socket, keep: Keep = Keep.FIN) -> "ZeroWindowHold":
        """See `Technique.hold`. The caller must not read from the leg until release()."""
        _refuse_overtake(keep)
        return ZeroWindowHold(leg)

    def close(self) -> None:
        """See `Technique.close`. There is nothing to undo."""


class ZeroWindowHold(WireHold):
    """One leg from which nobody reads."""

    def __init__(self, leg: socket.socket) -> None:
        self._leg, self._armed = leg, False
        self.arm()

    def look(self) -> Sight:
        """See `WireHold.look`: never KEPT_OUT. ACCEPTED while armed means that too few bytes were pending."""
        if (decided_already := decided(self._leg)) is not None:
            return decided_already
        return Sight.WINDOW_SHUT if self._armed and self.missing() == 0 else Sight.NOTHING

    def missing(self) -> int:
        """Return how many more bytes the peer must send before a FIN is kept out: what the window takes."""
        window = tcp_info.receive_window(self._leg)
        if window is None:  # before Linux 6.2: the whole buffer is an upper bound
            capacity = self._leg.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
            return max(0, capacity - tcp_info.unread(self._leg))
        return window

    def release(self) -> None:
        """See `WireHold.release`. The FIN comes in once the relay has read what waits before it."""
        if self._armed and is_open(self._leg):
            self._leg.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, AMPLE)
        self._armed = False

    def arm(self) -> None:
        """See `WireHold.arm`. A window already offered cannot be taken back, so more bytes may be needed."""
        if not self._armed:
            self._leg.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
            self._armed = True

    def close(self) -> None:
        """See `WireHold.close`."""
        self.release()
        acknowledge(self._leg)


def _refuse_overtake(keep: Keep) -> None:
    if keep is not Keep.FIN:
        action = "overtake" if keep is Keep.DATA else "simultaneous"
        raise WireError(
            f"zero-window: expected FINs to hold behind their data, found `{action}`: the FIN is the last in "
            "the queue that this technique blocks",
            "use --wire socket-filter",
        )
