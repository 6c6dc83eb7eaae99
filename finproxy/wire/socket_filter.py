"""Technique "socket-filter": a classic BPF program on the leg drops the peer's FIN segments as they arrive.

Role: two programs, attached and detached. It must not know the peer, the data, or when to release. Nothing
outside this process changes: the filter lives and dies with the socket. From the peer's view the segment was
lost, so it retransmits (RFC 9293, section 3.8.1); that is also how it comes in after release. A FIN segment
carries an ACK and often data: they wait with it, so our own last bytes may be retransmitted meanwhile.

Needs CAP_NET_ADMIN on recent kernels. Source: Documentation/networking/filter.rst; offsets count from the TCP
header, because that is where the packet begins when the kernel asks a TCP socket's filter (tcp_filter()).
"""

import ctypes
import errno
import socket
import struct

from finproxy.wire import tcp_info
from finproxy.wire.leg import acknowledge, decided, is_open
from finproxy.wire.proof import prove
from finproxy.wire.technique import Abilities, Keep, Probe, Sight, Technique, WireError, WireHold

# include/uapi/asm-generic/socket.h
SO_ATTACH_FILTER = 26
SO_GET_FILTER = 26  # the same number, read
SO_DETACH_FILTER = 27

# include/uapi/linux/bpf_common.h: what the instructions below are made of
_LOAD_BYTE = 0x30  # A = packet[k]
_JUMP_IF_ANY_BIT = 0x45  # A & k ? skip jt : skip jf
_SHIFT_RIGHT = 0x74
_AND = 0x54
_A_TO_X = 0x07
_LOAD_LENGTH = 0x80  # A = length of the segment
_JUMP_IF_GREATER_THAN_X = 0x2D
_RETURN = 0x06  # k = bytes to keep; 0 drops the segment
_PASS, _DROP = 0xFFFFFFFF, 0

_FLAGS_AT, _HEADER_LENGTH_AT = 13, 12  # RFC 9293, section 3.1
_FIN, _SYN, _RST = 0x01, 0x02, 0x04


def _instruction(code: int, k: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, jump_true, jump_false, k)


PROGRAMS = {
    # RST is asked for first: an abort must come through even from a stack that sets FIN beside it.
    Keep.FIN: (
        _instruction(_LOAD_BYTE, _FLAGS_AT),
        _instruction(_JUMP_IF_ANY_BIT, _RST, jump_true=2),
        _instruction(_JUMP_IF_ANY_BIT, _FIN, jump_false=1),
        _instruction(_RETURN, _DROP),
        _instruction(_RETURN, _PASS),
    ),
    Keep.BARE_FIN: (
        _instruction(_LOAD_BYTE, _FLAGS_AT),
        _instruction(_JUMP_IF_ANY_BIT, _RST, jump_true=8),
        _instruction(_JUMP_IF_ANY_BIT, _FIN, jump_false=7),
        _instruction(_LOAD_BYTE, _HEADER_LENGTH_AT),
        _instruction(_SHIFT_RIGHT, 2),
        _instruction(_AND, 0x3C),
        _instruction(_A_TO_X, 0),
        _instruction(_LOAD_LENGTH, 0),
        _instruction(_JUMP_IF_GREATER_THAN_X, 0, jump_true=1),
        _instruction(_RETURN, _DROP),
        _instruction(_RETURN, _PASS),
    ),
    # The last data and the FIN often share a segment: it passes whole, ahead of the data before it.
    Keep.DATA: (
        _instruction(_LOAD_BYTE, _FLAGS_AT),
        _instruction(_JUMP_IF_ANY_BIT, _FIN | _SYN | _RST, jump_true=7),
        _instruction(_LOAD_BYTE, _HEADER_LENGTH_AT),
        _instruction(_SHIFT_RIGHT, 2),  # upper four bits, in 32-bit words: (byte >> 4) * 4
        _instruction(_AND, 0x3C),
        _instruction(_A_TO_X, 0),
        _instruction(_LOAD_LENGTH, 0),
        _instruction(_JUMP_IF_GREATER_THAN_X, 0, jump_false=1),
        _instruction(_RETURN, _DROP),
        _instruction(_RETURN, _PASS),
    ),
}


class SocketFilter(Technique):
    """Drops what is to be kept out; costs nothing on other sockets."""

    name = "socket-filter"
    abilities = Abilities(
        bare_fin=True, overtake=True, instant_release=False, sees_fin=True, stops_reading=False
    )

    def probe(self) -> Probe:
        """See `Technique.probe`. Takes about 0.25 s: one retransmission timeout."""
        return prove(self)

    def prepare(self, sock: socket.socket, keep: Keep = Keep.FIN) -> None:
        """See `Technique.prepare`. The handshake passes the filter; what accept() returns inherits it."""
        _attach(sock, keep)

    def hold(self, leg: socket.socket, keep: Keep = Keep.FIN) -> WireHold:
        """See `Technique.hold`."""
        # Drops on a leg that was filtered from birth are ours to report, those of an older leg are not.
        from_birth = _is_filtered(leg)
        return FilterHold(leg, keep, from_birth=from_birth)

    def close(self) -> None:
        """See `Technique.close`. Filters end with their sockets: there is nothing to undo."""


class FilterHold(WireHold):
    """One filtered leg, and the counters from before it was filtered."""

    def __init__(self, leg: socket.socket, keep: Keep, *, from_birth: bool) -> None:
        self._leg, self._keep, self._armed = leg, keep, False
        self.arm()
        if from_birth:
            self._drops_before = self._early_before = 0

    def look(self) -> Sight:
        """See `WireHold.look`. A duplicate that the peer retransmits needlessly can pass for a FIN."""
        if (decided_already := decided(self._leg)) is not None:
            return decided_already
        # After a release any data that comes before the retransmission is out of order too.
        waits = self._armed and self._keep is Keep.DATA
        if waits and tcp_info.out_of_order(self._leg) > self._early_before:
            return Sight.OVERTOOK
        return Sight.KEPT_OUT if tcp_info.drops(self._leg) > self._drops_before else Sight.NOTHING

    def release(self) -> None:
        """See `WireHold.release`. The peer's next retransmission is accepted."""
        if self._armed and is_open(self._leg):
            self._leg.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        self._armed = False

    def arm(self) -> None:
        """See `WireHold.arm`."""
        if not self._armed:
            self._drops_before = tcp_info.drops(self._leg)
            self._early_before = tcp_info.out_of_order(self._leg)
            _attach(self._leg, self._keep)
            self._armed = True

    def close(self) -> None:
        """See `WireHold.close`."""
        self.release()
        acknowledge(self._leg)


def _is_filtered(sock: socket.socket) -> bool:
    # Lengths count in instructions of 8 bytes here, so the kernel needs 8 times what it says that it wrote.
    return len(sock.getsockopt(socket.SOL_SOCKET, SO_GET_FILTER, 1024)) > 0


def _attach(sock: socket.socket, keep: Keep) -> None:
    program = PROGRAMS[keep]
    code = ctypes.create_string_buffer(b"".join(program))
    # struct sock_fprog: the kernel copies the program before setsockopt returns.
    pointer = struct.pack("HP", len(program), ctypes.addressof(code))
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)
    except OSError as error:
        raise _refusal(error) from error


def _refusal(error: OSError) -> WireError:
    if error.errno == errno.EPERM:
        return WireError(
            "socket-filter: expected CAP_NET_ADMIN, found that the kernel refuses this process",
            "run as root, with `docker run --cap-add NET_ADMIN`, or inside `unshare -Urn`",
        )
    return WireError(
        f"socket-filter: expected SO_ATTACH_FILTER to succeed, found {error}",
        "run it on Linux, or use --wire zero-window",
    )
