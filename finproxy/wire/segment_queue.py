"""One kernel queue of FIN segments, sorted by the leg they came in on.

Role: take packets from the kernel, keep them, give verdicts. It must not know sockets, nor when a packet is
to be let in. A packet may come before its leg is known, because a client can send a FIN while its connection
still waits for accept(): such packets are kept too, until the leg is claimed or let go.
"""

import os
import warnings
import weakref
from typing import TYPE_CHECKING

from finproxy.wire import firewall
from finproxy.wire.packets import Pair, carries_data, parse
from finproxy.wire.technique import WireError

if TYPE_CHECKING:
    from netfilterqueue import NetfilterQueue, Packet

FIRST_QUEUE = 0x4649
"""Queue numbers from here on ("FI"): other programs count from 0."""

_TRIES = 64
_HEADERS = 128  # bytes of each packet copied to us; the packet itself stays in the kernel
_CAPACITY = 16384  # packets: 1,000 FINs at once, each with its retransmissions
_SOCKET_BYTES = 8 * 1024 * 1024  # for a burst between two looks
_UNCLAIMED = 4096  # legs that may wait for accept() at a time; the oldest is let in beyond that
_COPY_PACKET = 2  # NFQNL_COPY_PACKET, include/uapi/linux/netfilter/nfnetlink_queue.h


class SegmentQueue:
    """The queue, its rules, and the packets that wait in it. Opening it runs iptables: some 20 ms.

    Raises:
        WireError: The package, iptables, a kernel module or CAP_NET_ADMIN is missing.

    """

    def __init__(self) -> None:
        self._waiting: dict[Pair, list[Packet]] = {}
        self._claimed: set[Pair] = set()
        self._with_data: set[Pair] = set()
        self._queue = _new_queue()
        firewall.sweep()
        self._number = self._bind()
        self.mark = FIRST_QUEUE << 16 | self._number
        # Runs at interpreter exit too, should nobody call close(): rules must not outlive the process.
        self._tidy = weakref.finalize(self, firewall.remove, self._number)
        self.no_ipv6 = self._add_rules()

    def fileno(self) -> int:
        """Return the fd that becomes readable when packets have come."""
        fd: int = self._queue.get_fd()
        return fd

    def claim(self, pair: Pair) -> None:
        """Keep this leg's packets, those that came before it was accepted included."""
        self._claimed.add(pair)

    def kept(self, pair: Pair) -> bool:
        """Return whether packets of this leg wait. Never blocks."""
        self._pump()
        return pair in self._waiting

    def kept_data(self, pair: Pair) -> bool:
        """Return whether data waits with the FIN of this leg."""
        return pair in self._with_data

    def let_in(self, pair: Pair) -> None:
        """Accept the packets of this leg and forget it."""
        self._pump()
        self._claimed.discard(pair)
        self._with_data.discard(pair)
        for packet in self._waiting.pop(pair, []):
            packet.accept()

    def close(self) -> None:
        """Remove the rules, let everything in, unbind: in this order no packet is lost."""
        self._tidy()
        self._pump()
        for pair in list(self._waiting):
            self.let_in(pair)
        self._queue.unbind()

    def _pump(self) -> None:
        self._queue.run(block=False)

    def _arrived(self, packet: "Packet") -> None:
        headers = packet.get_payload()  # no longer there once this call has returned
        pair = parse(headers)
        if pair is None or self._is_our_own(pair):
            packet.accept()
        else:
            if carries_data(headers):
                self._with_data.add(pair)
            self._waiting.setdefault(pair, []).append(packet)
            self._make_room()

    def _is_our_own(self, pair: Pair) -> bool:
        # A FIN that we sent over loopback keeps our mark on its way to a peer in TIME-WAIT, which has none.
        return pair not in self._claimed and pair[::-1] in self._claimed

    def _make_room(self) -> None:
        if len(self._waiting) > len(self._claimed) + _UNCLAIMED:
            oldest = next(pair for pair in self._waiting if pair not in self._claimed)
            self._with_data.discard(oldest)
            for packet in self._waiting.pop(oldest):
                packet.accept()

    def _bind(self) -> int:
        """Bind to the first free number; another process may take one between our look and our bind."""
        taken = firewall.listening()
        for number in range(FIRST_QUEUE, FIRST_QUEUE + _TRIES):
            if number not in taken and self._bound(number):
                return number
        raise WireError(
            f"nfqueue: expected a free queue from {FIRST_QUEUE} on, found none among {_TRIES}",
            "stop proxies that are no longer needed: see /proc/net/netfilter/nfnetlink_queue",
        )

    def _bound(self, number: int) -> bool:
        with warnings.catch_warnings():
            # In a user namespace the kernel grants a smaller buffer: what overflows it is sent again.
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                self._queue.bind(number, self._arrived, _CAPACITY, _COPY_PACKET, _HEADERS, _SOCKET_BYTES)
            except OSError:
                return False
        return True

    def _add_rules(self) -> WireError | None:
        """Add the rules; return why IPv6 is not served, which is an error only once an IPv6 leg appears."""
        try:
            firewall.add(4, self._number, self.mark)
        except WireError:
            self._queue.unbind()
            raise
        try:
            firewall.add(6, self._number, self.mark)
        except WireError as error:
            return error
        return None


def _new_queue() -> "NetfilterQueue":
    try:
        from netfilterqueue import NetfilterQueue
    except ImportError as error:
        raise WireError(
            "nfqueue: expected the Python package NetfilterQueue, found none",
            "pip install 'finproxy[nfqueue]' (building it needs a C compiler and libnetfilter-queue-dev)",
        ) from error
    try:
        queue: NetfilterQueue = NetfilterQueue()
    except OSError as error:
        raise WireError(
            f"nfqueue: expected to open a netfilter queue, found {error} ({os.strerror(error.errno or 0)})",
            "give the process CAP_NET_ADMIN (root, or `docker run --cap-add NET_ADMIN`), and the kernel "
            "the module nfnetlink_queue",
        ) from error
    return queue
