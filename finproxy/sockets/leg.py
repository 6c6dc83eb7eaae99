"""One leg's socket, with the few acts that the proxy needs, and its errors classified.

Once, where they first show: after a RST `recv` raises one time and then says EOF for ever, so whoever looked
second would take a reset for a FIN. This module must not know sessions, rules or records.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import sys
import termios

from ..legs import WOULD_BLOCK, Address, FlowEnd, LegLost
from ..wire import tcp_info

_RESET_ERRNOS = frozenset({errno.ECONNRESET, errno.EPIPE})
"""What a peer's RST looks like: EPIPE where its FIN came before it (net/ipv4/tcp_input.c, tcp_reset)."""

_FAILED_ERRNOS = frozenset(
    {
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ECONNABORTED,
        errno.EPROTO,
    }
)
"""The kernel gave the connection up; ECONNABORTED: somebody destroyed it here, as `ss -K` does."""

# An endpoint that vanished without a word is noticed after two minutes: 60 s of silence, then four
# unanswered probes. Without it a dropped FIN could keep its session for ever.
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}

_CORK = getattr(socket, "MSG_MORE", 0)  # where a system has none, the bytes go at once
_LINGER_ZERO = struct.pack("ii", 1, 0)


class SocketLeg:
    """One leg's socket, non-blocking, with the acts that the proxy needs and nothing else."""

    __slots__ = ("_fin_sent", "fd", "local", "lost", "remote", "socket")

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.fd = sock.fileno()
        self.local = address_of(sock.getsockname())
        self.remote = address_of(sock.getpeername())
        self.lost: LegLost | None = None
        """Set at the first error, in whichever call it showed."""
        self._fin_sent = False

    def receive_into(self, buffer: memoryview) -> int:
        """Read what is there: a count, 0 for EOF (a FIN), or `WOULD_BLOCK`.

        Raises:
            LegLost: everything that preceded the loss has been read.
        """
        try:
            count = self.socket.recv_into(buffer)
        except BlockingIOError:
            return WOULD_BLOCK
        except OSError as error:
            raise self._lose(error) from None
        if count == 0 and self.lost and not self.lost.after_fin:
            raise self.lost
        return count

    def send(self, data: memoryview | bytes, cork: bool = False) -> int:
        """Hand bytes to the kernel: how many it took, or `WOULD_BLOCK`.

        `cork`: they wait, for some 200 ms at most, to share a segment with what follows (tcp(7), MSG_MORE).

        Raises:
            LegLost: the leg cannot take bytes any more; what it has received may still be read.
        """
        try:
            return self.socket.send(data, _CORK if cork else 0)
        except BlockingIOError:
            return WOULD_BLOCK
        except OSError as error:
            raise self._lose(error) from None

    def uncork(self) -> None:
        """Push what waits in the kernel for more; setting this option does so, though it was set before."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send_fin(self) -> bool:
        """Send a FIN and keep the fd; False where the leg was lost meanwhile."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
            return False
        self._fin_sent = True
        return True

    def look_for_loss(self) -> LegLost | None:
        """Whether the leg is lost: also finds the RST after a FIN, which never raises in recv."""
        if self.lost is None and (code := self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
            self._lose(OSError(code, os.strerror(code)))
        return self.lost

    def unacknowledged(self) -> int:
        """Bytes sent and not yet acknowledged by the peer; a FIN in flight counts as nothing."""
        return max(0, self._queued() - self._fin_sent)

    def settled(self) -> bool:
        """Whether the peer has acknowledged all that was sent, the FIN included."""
        return self._queued() == 0

    def unread(self) -> int:
        """Bytes that the kernel has received and nobody has read."""
        return _ioctl_int(self.fd, termios.FIONREAD)

    def tcp_state(self) -> str | None:
        """The kernel's state of this end, such as ``FIN-WAIT-2``; None off Linux, and once it is closed."""
        if sys.platform != "linux" or self.socket.fileno() < 0:
            return None
        return str(tcp_info.state(self.socket))

    def abort(self) -> None:
        """Reset the connection: linger zero and close. Synchronous, so that it works under cancellation."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.socket.close()

    def release(self) -> None:
        """Give up the fd. With unread bytes the kernel would send a RST: only after EOF or a loss."""
        self.socket.close()

    def _queued(self) -> int:
        if sys.platform == "darwin":
            return self.socket.getsockopt(socket.SOL_SOCKET, 0x1024)  # SO_NWRITE
        return _ioctl_int(self.fd, termios.TIOCOUTQ)  # SIOCOUTQ, tcp(7): unsent and unacknowledged

    def _lose(self, error: OSError) -> LegLost:
        if self.lost is None:
            self.lost = _classify(error)
        return self.lost


def _classify(error: OSError) -> LegLost:
    if error.errno in _RESET_ERRNOS:
        return LegLost(FlowEnd.RESET, "connection reset", after_fin=error.errno == errno.EPIPE)
    if error.errno in _FAILED_ERRNOS:
        return LegLost(FlowEnd.FAILED, error.strerror or str(error))
    raise error


def as_leg(sock: socket.socket) -> SocketLeg:
    """Make a leg of a connected socket: non-blocking, no Nagle delay, keep-alive probes."""
    sock.setblocking(False)
    set_options(sock)
    return SocketLeg(sock)


def accepted_leg(sock: socket.socket) -> SocketLeg:
    """The same for a socket that a listener of `listen` accepted: Linux hands the listener's options on."""
    if sys.platform != "linux":
        return as_leg(sock)
    sock.setblocking(False)
    return SocketLeg(sock)


def set_options(sock: socket.socket) -> None:
    """No Nagle delay, urgent bytes in their place in the stream, keep-alive probes."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # An urgent byte would otherwise be taken out of the stream and lost: it travels, its urgency does not.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def address_of(name: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    """Host and port of what `getsockname` gives, for either family."""
    return name[0], name[1]


def _ioctl_int(fd: int, request: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, request, b"\0\0\0\0"), sys.byteorder)
