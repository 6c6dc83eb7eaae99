"""A TCP connection in memory: a leg for the proxy, and the endpoint at its far end.

It does what the two kernels would do as far as a process can tell: bytes are acknowledged when they arrive,
arrive as far as there is room, and a reset destroys what has not arrived, not what is waiting to be read.
This module must not know sessions or rules.
"""

from __future__ import annotations

import trio
from trio.lowlevel import ParkingLot

from ..legs import WOULD_BLOCK, Address, FlowEnd, LegLost
from ..readiness import FAILED, FIN_BEHIND, HUNG_UP, READABLE, WRITABLE
from .readiness import FakeReadiness

_ROOM = 64 * 1024


class _Pipe:
    """One direction of a connection."""

    def __init__(self, room: int, window: int) -> None:
        self.room = room
        self.window = window
        self.sent = bytearray()
        """Sent and not acknowledged: it has not arrived yet."""
        self.arrived = bytearray()
        """Acknowledged, and not read yet."""
        self.corked = False
        """What was sent waits for what follows it, for ever if nothing does."""
        self.fin_sent = False

    @property
    def fin_arrived(self) -> bool:
        return self.fin_sent and not self.sent and self.window > 0

    def put(self, data: memoryview | bytes, *, cork: bool = False) -> int:
        self.corked = cork
        free = self.room - len(self.sent) + self.window - len(self.arrived)
        taken = data[: max(0, free)]
        self.sent += taken
        self.travel()
        return len(taken)

    def take(self, most: int) -> bytes:
        taken = bytes(self.arrived[:most])
        del self.arrived[:most]
        self.travel()
        return taken

    def end(self) -> None:
        self.fin_sent = True
        self.uncork()

    def uncork(self) -> None:
        self.corked = False
        self.travel()

    def travel(self) -> None:
        if self.corked:
            return
        count = max(0, self.window - len(self.arrived))
        self.arrived += self.sent[:count]
        del self.sent[:count]

    def cut(self) -> None:
        """A reset by the sender: what has not arrived never will."""
        self.fin_sent = self.fin_arrived
        self.sent.clear()


class FakeLeg:
    """A `LegIO` in memory."""

    def __init__(self, fd: int, incoming: _Pipe, outgoing: _Pipe, local: Address, remote: Address) -> None:
        self.fd = fd
        self.local = local
        self.remote = remote
        self.lost: LegLost | None = None
        self.given_up = False
        """Aborted or released."""
        self.far_end: FakeEndpoint
        self._incoming = incoming
        self._outgoing = outgoing
        self._unseen: LegLost | None = None

    def receive_into(self, buffer: memoryview) -> int:
        """Read what has arrived."""
        self._still_ours()
        if data := self._incoming.take(len(buffer)):
            buffer[: len(data)] = data
            self.far_end.changed()
            return len(data)
        if self._incoming.fin_arrived:
            return 0
        if lost := self.look_for_loss():
            raise lost
        return WOULD_BLOCK

    def send(self, data: memoryview | bytes, cork: bool = False) -> int:
        """Send what there is room for."""
        self._still_ours()
        if lost := self.look_for_loss():
            raise lost
        assert not self._outgoing.fin_sent, "bytes were sent after the FIN"
        count = self._outgoing.put(data, cork=cork)
        self.far_end.changed()
        return count or WOULD_BLOCK

    def uncork(self) -> None:
        """Let go what waits."""
        self._still_ours()
        self._outgoing.uncork()
        self.far_end.changed()

    def send_fin(self) -> bool:
        """End our flow; False where the leg was lost meanwhile."""
        self._still_ours()
        if self._unseen:
            return False
        self._outgoing.end()
        self.far_end.changed()
        return True

    def look_for_loss(self) -> LegLost | None:
        """Whether the leg is lost."""
        self._still_ours()
        self.lost = self.lost or self._unseen
        return self.lost

    def unacknowledged(self) -> int:
        """Bytes that have not arrived at the endpoint."""
        return len(self._outgoing.sent)

    def settled(self) -> bool:
        """Whether everything has arrived there, a FIN included."""
        return not self._outgoing.sent and self._outgoing.fin_arrived == self._outgoing.fin_sent

    def unread(self) -> int:
        """Bytes that have arrived here and that nobody has read."""
        return len(self._incoming.arrived)

    def tcp_state(self) -> str | None:
        """None: there is no kernel."""
        return None

    def abort(self) -> None:
        """Reset the connection."""
        self._still_ours()
        self.given_up = True
        self._outgoing.cut()
        self.far_end.was_reset()

    def release(self) -> None:
        """Give up the leg: a reset where bytes are unread, as close(2) does, and else a FIN."""
        if self._incoming.arrived and not self._unseen:
            self.abort()
            return
        self._still_ours()
        self.given_up = True
        self._outgoing.end()
        self.far_end.changed()

    def lose(self, how: FlowEnd, reason: str) -> None:
        """The endpoint has reset the connection, or is out of reach: for `FakeEndpoint`."""
        if not self.given_up:
            self._unseen = LegLost(how, reason, after_fin=self._incoming.fin_arrived)

    def _still_ours(self) -> None:
        assert not self.given_up, "the leg was used after it had been given up"


class FakeEndpoint:
    """The client or the server at the far end of a fake leg: what it does, and what it sees."""

    def __init__(self, leg: FakeLeg, incoming: _Pipe, outgoing: _Pipe, readiness: FakeReadiness) -> None:
        self.leg = leg
        leg.far_end = self
        self._incoming = incoming
        self._outgoing = outgoing
        self._readiness = readiness
        self._reset = False
        self._waiting = ParkingLot()

    # --- what it does -----------------------------------------------------------------------------

    async def send(self, data: bytes) -> None:
        """Send all of it, waiting for room.

        Raises:
            trio.BrokenResourceError: the connection was reset.
        """
        await trio.lowlevel.checkpoint()
        while data and not self._reset:
            data = data[self._outgoing.put(data) :]
            self._tell(READABLE | HUNG_UP)  # not what happened, but: look twice
            if data:
                await self._waiting.park()
        if data:
            raise trio.BrokenResourceError("the connection was reset")

    async def send_fin(self) -> None:
        """End the flow; the other one goes on."""
        self._outgoing.end()
        self._tell(READABLE | (FIN_BEHIND if self._outgoing.fin_arrived else 0))
        await trio.lowlevel.checkpoint()

    async def reset(self) -> None:
        """Reset the connection."""
        self._outgoing.cut()
        self._lose(FlowEnd.RESET, "connection reset")
        await trio.lowlevel.checkpoint()

    async def vanish(self, reason: str = "connection timed out") -> None:
        """Be out of reach, until the proxy's kernel has given up."""
        self._lose(FlowEnd.FAILED, reason)
        await trio.lowlevel.checkpoint()

    def set_window(self, size: int) -> None:
        """Let so many unread bytes arrive; with 0 nothing is acknowledged, no FIN either."""
        self._incoming.window = size
        self._incoming.travel()
        self._tell(WRITABLE)
        self.changed()

    # --- what it sees -----------------------------------------------------------------------------

    async def receive(self, most: int = _ROOM) -> bytes | FlowEnd:
        """The next bytes, or how the flow ended: `FlowEnd.FIN` or `FlowEnd.RESET`."""
        await trio.lowlevel.checkpoint()
        while True:
            if data := self._incoming.take(most):
                self._tell(WRITABLE)
                return data
            if self._incoming.fin_arrived:
                return FlowEnd.FIN
            if self._reset:
                return FlowEnd.RESET
            await self._waiting.park()

    async def receive_exactly(self, count: int) -> bytes | FlowEnd:
        """So many bytes, fewer if the flow ends behind them; or how it ended, where none are left."""
        data = bytearray()
        while len(data) < count:
            got = await self.receive(count - len(data))
            if isinstance(got, FlowEnd):
                return bytes(data) or got
            data += got
        return bytes(data)

    async def receive_to_end(self) -> tuple[bytes, FlowEnd]:
        """All bytes that are still to come, and how the flow ended."""
        data = bytearray()
        while not isinstance(got := await self.receive(), FlowEnd):
            data += got
        return bytes(data), got

    async def wait_reset(self) -> None:
        """Wait for a reset, which after a FIN `receive` does not show."""
        while not self._reset:
            await self._waiting.park()

    # --- for the leg --------------------------------------------------------------------------------

    def changed(self) -> None:
        """The leg has sent, or has read and made room."""
        self._waiting.unpark_all()

    def was_reset(self) -> None:
        """The leg has reset the connection."""
        self._reset = True
        self._outgoing.cut()
        self.changed()

    def _lose(self, how: FlowEnd, reason: str) -> None:
        self.leg.lose(how, reason)
        self._reset = True
        self._tell(READABLE | WRITABLE | FAILED)
        self.changed()

    def _tell(self, bits: int) -> None:
        self._readiness.report(self.leg.fd, bits)


def fake_connection(
    fd: int, readiness: FakeReadiness, *, room: int = _ROOM, window: int = _ROOM
) -> tuple[FakeEndpoint, FakeLeg]:
    """An endpoint and the leg that the proxy has to it.

    Args:
        fd: any number that no other leg of this `readiness` has.
        readiness: what the leg's session waits on.
        room: how many bytes each side can send ahead of what has arrived.
        window: how many bytes each side lets arrive before it reads them.
    """
    to_proxy, from_proxy = _Pipe(room, window), _Pipe(room, window)
    leg = FakeLeg(fd, to_proxy, from_proxy, ("127.0.0.1", 9000 + fd), ("127.0.0.1", 40000 + fd))
    return FakeEndpoint(leg, from_proxy, to_proxy, readiness), leg
