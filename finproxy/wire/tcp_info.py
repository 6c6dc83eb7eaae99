"""What the kernel tells about our own socket, without privilege and without consuming anything.

Role: four questions that the techniques ask of a leg. It must not know which technique asks, nor any socket
but the one it is given. The layouts are the kernel's: `struct tcp_info` in include/uapi/linux/tcp.h (it only
ever grows at its end), the states in include/net/tcp_states.h, SO_MEMINFO in include/uapi/linux/sock_diag.h.
"""

import fcntl
import socket
import struct
import termios
from enum import IntEnum

# Absent from the socket module off Linux, and SO_MEMINFO everywhere; the numbers are those of the common
# architectures (include/uapi/asm-generic/socket.h; not alpha, mips, parisc, sparc).
TCP_INFO = 11
SO_MEMINFO = 55

_RCV_OOOPACK_AT = 224  # since Linux 5.4
_RCV_WND_AT = 232  # since Linux 6.2
_ENOUGH = 512  # more than any kernel's tcp_info so far: the kernel returns as much as it has


class KernelState(IntEnum):
    """The kernel's numbers for TCP states under RFC 9293's names, as TCP_INFO reports them on an fd."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECEIVED = 3
    FIN_WAIT_1 = 4
    FIN_WAIT_2 = 5
    TIME_WAIT = 6  # never seen on an fd: it says CLOSED by then
    CLOSED = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11

    def __str__(self) -> str:
        return self.name.replace("_", "-")


def state(sock: socket.socket) -> KernelState:
    """Return the TCP state of this socket."""
    return KernelState(sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 1)[0])


def out_of_order(sock: socket.socket) -> int:
    """Return how many segments were queued ahead of missing data; 0 on kernels that do not count them."""
    return _field(sock, _RCV_OOOPACK_AT) or 0


def receive_window(sock: socket.socket) -> int | None:
    """Return the bytes that the peer may still send, as last advertised; None before Linux 6.2."""
    return _field(sock, _RCV_WND_AT)


def drops(sock: socket.socket) -> int:
    """Return how many arriving segments this socket has refused since it was made.

    A socket filter's refusals count here, and so do duplicates that the peer retransmitted needlessly.
    """
    counters = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36)
    return int(struct.unpack("=9I", counters)[8])


def unread(sock: socket.socket) -> int:
    """Return the bytes that wait in the receive queue (FIONREAD)."""
    answer = fcntl.ioctl(sock.fileno(), termios.FIONREAD, b"\0\0\0\0")
    return int(struct.unpack("=i", answer)[0])


def _field(sock: socket.socket, offset: int) -> int | None:
    info = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, _ENOUGH)
    if len(info) < offset + 4:
        return None
    return int(struct.unpack_from("=I", info, offset)[0])
