"""Technique "nfqueue": a kept-out FIN segment waits in this process until a verdict lets it in.

Role: marks on sockets and holds on legs. It must not know how rules are written (firewall.py) nor how packets
are kept (segment_queue.py). Release is immediate, because the very segment that the peer sent goes on its
way. While it waits, so do the ACK and the data that it carries, and the peer retransmits it: every copy
waits, and after release the kernel ignores all but the first.

Needs CAP_NET_ADMIN, iptables and the package NetfilterQueue. The package rather than netlink messages of our
own: it is typed and proven, and a decoder would be the largest file here.

It cannot overtake: the rule would have to send every TCP segment of this host through a socket lookup.
"""

import contextlib
import socket

from finproxy.wire.leg import acknowledge, decided, is_open
from finproxy.wire.packets import Pair, canonical
from finproxy.wire.proof import prove
from finproxy.wire.segment_queue import SegmentQueue
from finproxy.wire.technique import Abilities, Keep, Probe, Sight, Technique, WireError, WireHold

SO_MARK = 36  # include/uapi/asm-generic/socket.h; absent from the socket module off Linux


class NfQueue(Technique):
    """Keeps segments of marked sockets in a queue. Opens it with the first `prepare` or `hold`.

    The mark (0x4649xxxx) is also visible to `ip rule fwmark`: a host that routes by such marks is affected.
    """

    name = "nfqueue"
    abilities = Abilities(
        bare_fin=True, overtake=False, instant_release=True, sees_fin=True, stops_reading=False
    )

    def __init__(self) -> None:
        self._queue: SegmentQueue | None = None

    def probe(self) -> Probe:
        """See `Technique.probe`. Takes about 0.1 s, and uses a queue of its own."""
        with contextlib.closing(NfQueue()) as trial:
            return prove(trial)

    def prepare(self, sock: socket.socket, keep: Keep = Keep.FIN) -> None:
        """See `Technique.prepare`."""
        if keep is Keep.DATA:
            raise WireError(
                "nfqueue: expected FINs to hold, found `overtake`: only FIN segments reach the queue",
                "use --wire socket-filter",
            )
        queue = self._open()
        if sock.family == socket.AF_INET6 and queue.no_ipv6 is not None:
            raise queue.no_ipv6
        mark(sock, queue.mark)

    def hold(self, leg: socket.socket, keep: Keep = Keep.FIN) -> WireHold:
        """See `Technique.hold`."""
        self.prepare(leg, keep)
        return QueueHold(leg, self._open(), keep)

    def fileno(self) -> int | None:
        """See `Technique.fileno`. None until the queue is open."""
        return self._queue.fileno() if self._queue is not None else None

    def close(self) -> None:
        """See `Technique.close`. Removes the firewall rules."""
        if self._queue is not None:
            self._queue.close()
            self._queue = None

    def _open(self) -> SegmentQueue:
        if self._queue is None:
            self._queue = SegmentQueue()
        return self._queue


class QueueHold(WireHold):
    """One marked leg, known to the queue by its two addresses."""

    def __init__(self, leg: socket.socket, queue: SegmentQueue, keep: Keep) -> None:
        self._leg, self._queue, self._pair, self._armed = leg, queue, _pair(leg), False
        self._keep = keep
        self.arm()

    def look(self) -> Sight:
        """See `WireHold.look`. Exact: the segment itself has been seen."""
        kept = self._pair is not None and self._queue.kept(self._pair)
        if kept and self._pair and self._keep is Keep.BARE_FIN and self._queue.kept_data(self._pair):
            self.release()
            kept = False
        return decided(self._leg) or (Sight.KEPT_OUT if kept else Sight.NOTHING)

    def release(self) -> None:
        """See `WireHold.release`. Accepted in well under 1 ms."""
        if self._armed:
            mark(self._leg, 0)  # first, so that nothing more arrives in the queue
            self._armed = False
            if self._pair is not None:
                self._queue.let_in(self._pair)

    def arm(self) -> None:
        """See `WireHold.arm`."""
        if not self._armed:
            mark(self._leg, self._queue.mark)
            self._armed = True
            if self._pair is not None:
                self._queue.claim(self._pair)

    def close(self) -> None:
        """See `WireHold.close`."""
        self.release()
        acknowledge(self._leg)


def mark(sock: socket.socket, value: int) -> None:
    """Set the mark by which the firewall recognizes this socket; 0 for none."""
    if is_open(sock):
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, value)


def _pair(leg: socket.socket) -> Pair | None:
    try:
        return canonical(leg.getpeername()), canonical(leg.getsockname())
    except OSError:  # reset before it was accepted: what a peer does is no error, and look() says ENDED
        return None
