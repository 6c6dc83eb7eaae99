"""Scripted TCP endpoints: what a client or a server does, and what it sees, on a real socket.

Each wait is bounded, so that a test which waits for what never comes fails and says what it waited for.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psutil
import trio

from finproxy.legs import Address

PATIENCE = 20.0
"""Seconds after which a wait has failed. Never what a passing test waits for."""

_LINGER_ZERO = struct.pack("ii", 1, 0)
_STATES = (
    "",
    "ESTABLISHED",
    "SYN-SENT",
    "SYN-RECEIVED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "CLOSED",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
)
"""The kernel's numbers for the states, as TCP_INFO has them."""

_OPEN: list[Peer] = []


def close_all_peers() -> None:
    """Close whatever a test has left open, also when Trio does not run any more."""
    while _OPEN:
        if (fd := _OPEN.pop().detach()) >= 0:
            socket.close(fd)


@contextmanager
def patience(waiting_for: str) -> Iterator[None]:
    """Fail when `waiting_for` does not come."""
    try:
        with trio.fail_after(PATIENCE):
            yield
    except trio.TooSlowError:
        raise AssertionError(f"waited {PATIENCE:g} s in vain for {waiting_for}") from None


class Peer:
    """One end of a TCP connection that does as it is told."""

    def __init__(self, sock: trio.socket.SocketType, met: OSError | None = None) -> None:
        self._socket = sock
        self._met = met
        """A reset that came while it was still connecting, to be met by its first read."""
        _OPEN.append(self)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # --- what it does -----------------------------------------------------------------------------

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        with patience(f"room for {len(data)} bytes"):
            await trio.SocketStream(self._socket).send_all(data)

    def send_now(self, data: bytes | memoryview) -> memoryview:
        """Send what its kernel has room for at once; what is left."""
        try:
            return memoryview(data)[os.write(self._socket.fileno(), data) :]
        except BlockingIOError:
            return memoryview(data)

    async def leave_to_kernel(self, data: bytes) -> None:
        """Send to somebody who does not read: `SocketStream` would keep the last of it from the kernel."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_000_000)
        with patience(f"room for {len(data)} bytes in its kernel"):
            while data:
                data = data[await self._socket.send(data) :]

    def leave_to_the_fin(self, data: bytes) -> None:
        """Let the FIN's own segment carry these bytes: `fin` or `close` has to come at once."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        assert os.write(self._socket.fileno(), data) == len(data)

    def fin(self) -> None:
        """End its flow and keep reading: a half-close."""
        self._socket.shutdown(socket.SHUT_WR)

    def rst(self) -> None:
        """Reset the connection."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._socket.close()

    def close(self) -> None:
        """Close like any program; with unread bytes the kernel makes a RST of it."""
        self._socket.close()

    def detach(self) -> int:
        """Its file descriptor, which is somebody else's from now on; -1 where it was closed."""
        return self._socket.detach()

    # --- what it sees -----------------------------------------------------------------------------

    @property
    def address(self) -> Address:
        """Its own address."""
        name: tuple[str, int] = self._socket.getsockname()
        return name[0], name[1]

    @property
    def state(self) -> str:
        """The state that its kernel shows, in the RFC's spelling."""
        return _STATES[self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]

    @property
    def hears_nothing(self) -> bool:
        """Whether neither a byte nor a FIN nor a RST has arrived that was not read."""
        poller = select.poll()
        poller.register(self._socket.fileno(), select.POLLIN | select.POLLRDHUP)
        return not poller.poll(0)

    async def receive_some(self, most: int = 65536) -> bytes:
        """Whatever is there; nothing at EOF."""
        if met := self._met:
            self._met = None
            raise met
        with patience("bytes or a FIN"):
            return await self._socket.recv(most)

    async def receive(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        got = bytearray()
        while len(got) < count:
            some = await self.receive_some(count - len(got))
            assert some, f"FIN after {bytes(got)!r}, in the place of {count} bytes"
            got += some
        return bytes(got)

    async def read_until_eof(self) -> bytes:
        """Everything up to the FIN; a reset fails the test."""
        got = bytearray()
        while some := await self.receive_some():
            got += some
        return bytes(got)

    async def read_until_reset(self) -> bytes:
        """Everything up to the RST; a FIN fails the test."""
        got = bytearray()
        try:
            while some := await self.receive_some():
                got += some
        except ConnectionResetError:
            return bytes(got)
        raise AssertionError(f"FIN after {bytes(got)!r}, in the place of a RST")

    async def expect_reset_after_fin(self) -> None:
        """Wait for the RST that follows a FIN which was read: no `recv` ever tells."""
        poller = select.poll()
        poller.register(self._socket.fileno(), 0)
        found = await trio.to_thread.run_sync(poller.poll, PATIENCE * 1000)
        assert found, "waited in vain for a RST after the FIN"
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert code in {errno.EPIPE, errno.ECONNRESET}, f"no RST, but {errno.errorcode.get(code, code)}"


class Upstream:
    """A listening server whose connections are scripted one by one."""

    def __init__(self, listener: trio.socket.SocketType) -> None:
        self._listener = listener
        host, port = listener.getsockname()[:2]
        self.address: Address = host, port

    async def accept(self) -> Peer:
        """The next connection."""
        with patience("a connection to the server"):
            sock, _ = await self._listener.accept()
        return Peer(sock)

    async def is_dialled(self, count: int = 1) -> None:
        """Wait until `count` connections from this process have sent a SYN that was not answered."""
        with patience(f"{count} unanswered SYNs"):
            while self._unanswered() < count:
                await trio.lowlevel.checkpoint()

    def _unanswered(self) -> int:
        mine = psutil.Process().net_connections("tcp")
        return sum(row.raddr == self.address and row.status == psutil.CONN_SYN_SENT for row in mine)


@asynccontextmanager
async def listening(host: str = "127.0.0.1", backlog: int = 4096) -> AsyncIterator[Upstream]:
    """A server on a free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with trio.socket.socket(family, socket.SOCK_STREAM) as listener:
        await listener.bind((host, 0))
        listener.listen(backlog)
        yield Upstream(listener)


async def connect(address: Address, *, receive_buffer: int | None = None) -> Peer:
    """A client of whoever listens at `address`."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        with patience(f"a connection to {address}"):
            await sock.connect(address)
    except ConnectionResetError as error:  # accepted and turned away before it could look
        return Peer(sock, error)
    except BaseException:
        sock.close()
        raise
    return Peer(sock)


@contextmanager
def closed_address() -> Iterator[Address]:
    """Where nobody listens, and nobody else will as long as the block lasts."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        host, port = sock.getsockname()
        yield host, port


@asynccontextmanager
async def full_backlog() -> AsyncIterator[Upstream]:
    """A server that lets nobody in until somebody is accepted: its kernel ignores further SYNs.

    Who has been ignored tries again after a second.
    """
    async with listening(backlog=0) as upstream:
        await connect(upstream.address)
        yield upstream
