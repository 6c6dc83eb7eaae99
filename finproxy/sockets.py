"""The socket edge: the only file of the proxy that touches socket options, linger and errno.

It opens, dials and classifies, and gives one leg's socket the few acts that the proxy needs. Errors are
classified once, where they first show: after a RST `recv` raises one time and then says EOF for ever, so
whoever looked second would take a reset for a FIN. This module must not know sessions, rules or records.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import socket
import struct
import sys
import termios
from collections.abc import Callable
from typing import Any, TypeAlias

import trio

from .addresses import format_address
from .errors import FinproxyError
from .legs import WOULD_BLOCK, Address, FlowEnd, LegLost
from .wire import tcp_info

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

ACCEPT_LATER = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Accepting fails until something is freed: wait and try again (accept(2))."""

# An endpoint that vanished without a word is noticed after two minutes: 60 s of silence, then four
# unanswered probes. Without it a dropped FIN could keep its session for ever.
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}

Prepare: TypeAlias = Callable[[socket.socket], None]
"""Something to be done to a socket before it has a peer."""

_CORK = getattr(socket, "MSG_MORE", 0)  # where a system has none, the bytes go at once
_LINGER_ZERO = struct.pack("ii", 1, 0)
_BACKLOG = 4096
_FDS_APART = 64
"""Descriptors kept for everything that is not a session: standard streams, journal, epoll, listeners."""


class ListenError(FinproxyError):
    """The listening socket could not be opened; `address` is where, if it came so far."""

    def __init__(self, text: str, address: Address | None = None) -> None:
        super().__init__(text)
        self.address = address


class DialError(Exception):
    """The upstream could not be reached; the text says why. Data for `session.refused`, never shown raw."""

    @classmethod
    def of(cls, error: OSError) -> DialError:
        """What the system says of it."""
        return cls(os.strerror(error.errno) if error.errno else str(error))


class SocketLeg:
    """One leg's socket, non-blocking, with the acts that the proxy needs and nothing else."""

    __slots__ = ("_fin_sent", "fd", "local", "lost", "remote", "socket")

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.fd = sock.fileno()
        self.local = _address(sock.getsockname())
        self.remote = _address(sock.getpeername())
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
    _set_options(sock)
    return SocketLeg(sock)


def accepted_leg(sock: socket.socket) -> SocketLeg:
    """The same for a socket that a listener of `listen` accepted: Linux hands the listener's options on."""
    if sys.platform != "linux":
        return as_leg(sock)
    sock.setblocking(False)
    return SocketLeg(sock)


def _set_options(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # An urgent byte would otherwise be taken out of the stream and lost: it travels, its urgency does not.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def listen(address: Address, prepare: Prepare | None = None) -> socket.socket:
    """Open a non-blocking listener; `prepare` sees the socket before anybody can connect to it.

    Raises:
        ListenError: the port is taken, or reserved, or the address is not one of this machine.
    """
    host, port = address
    try:
        family, _, _, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return _open_listener(family, where, prepare)
    except OSError as error:
        raise ListenError(_why_not_listening(address, error), address) from error


def _open_listener(family: int, where: tuple[Any, ...], prepare: Prepare | None) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart need not wait for TIME-WAIT
        _set_options(sock)
        if prepare:
            prepare(sock)
        sock.bind(where)
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _why_not_listening(address: Address, error: OSError) -> str:
    where = format_address(address)
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {where}: the port is in use; choose another one, or 0 for any free port"
    if error.errno == errno.EACCES:
        return (
            f"cannot listen on {where}: this port is reserved; choose one above 1023, or run with the right"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"cannot listen on {where}: the address is not one of this machine's"
    return f"cannot listen on {where}: {error.strerror or error}"


def accept(listener: socket.socket) -> socket.socket | None:
    """The next connection, or None where none is waiting.

    Raises:
        OSError: with an errno of `ACCEPT_LATER`, or because the listener is broken.
    """
    while True:
        try:
            return listener.accept()[0]
        except BlockingIOError:
            return None
        except ConnectionAbortedError:
            continue  # the client was gone before it was accepted: that is no concern of the next one


def listening_address(listener: socket.socket) -> Address:
    """Where a listener really listens, with the port that the kernel chose."""
    return _address(listener.getsockname())


Place: TypeAlias = tuple[int, tuple[Any, ...]]
"""Address family, and the socket address in that family's form."""


def literal(address: Address) -> list[Place]:
    """The place that a numeric address stands for; none for a name, which has to be resolved."""
    host, port = address
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return []
    return [(family, where) for family, _, _, _, where in found]


async def resolve(address: Address) -> list[Place]:
    """Family and socket address of each place that a name stands for.

    Raises:
        DialError: the name stands for none.
    """
    host, port = address
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise DialError(f"cannot resolve {host}: {error.strerror or error}") from error
    return [(family, where) for family, _, _, _, where in found]


class Connecting:
    """A socket on its way to a place."""

    __slots__ = ("_socket", "_where", "fd")

    def __init__(self, place: Place, prepare: Prepare) -> None:
        family, self._where = place
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self.fd = self._socket.fileno()
        try:
            self._socket.setblocking(False)
            prepare(self._socket)
        except BaseException:
            self._socket.close()
            raise

    def leg(self) -> SocketLeg | None:
        """Connect, or look how far it has come: the leg, or None while it can only be waited for.

        Raises:
            OSError: this place does not answer; says why.
        """
        code = self._socket.connect_ex(self._where)
        if code == errno.EINPROGRESS:  # begun by this call; within one machine it is through by now
            code = self._socket.connect_ex(self._where)
        if code in (errno.EINPROGRESS, errno.EALREADY):
            return None
        if code not in (0, errno.EISCONN):
            raise OSError(code, os.strerror(code))
        _set_options(self._socket)
        return SocketLeg(self._socket)

    def close(self) -> None:
        """Give it up."""
        self._socket.close()


def room_for_sessions(wanted: int | None) -> int:
    """Raise the limit on open files as far as allowed; how many sessions (two each) it leaves room for.

    Raises:
        FinproxyError: `wanted` sessions do not fit.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = (hard - _FDS_APART) // 2 if hard != resource.RLIM_INFINITY else 1_000_000
    if wanted is not None and wanted > room:
        raise FinproxyError(
            f"{wanted} sessions at once need {2 * wanted + _FDS_APART} open files, the limit is {hard}: "
            f"raise it (ulimit -Hn), or allow at most {room} sessions"
        )
    return room if wanted is None else wanted


def _address(name: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    return name[0], name[1]


def _ioctl_int(fd: int, request: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, request, b"\0\0\0\0"), sys.byteorder)
