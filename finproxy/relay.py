"""Bytes of one direction, from one leg to the other, as fast as Python can.

Not two pump loops: Trio tasks that await each read and each write moved 26,000 small messages a second where
Toxiproxy moved 62,000 in the same run; the same work done in callbacks of one epoll set (readiness.py) moves
71,000. So a flow never waits. `move` does what can be done now and returns; bytes that the receiver has no
room for stay in `_unsent`, and as long as they do nothing more is read: that is the back-pressure. Nor does
splice(2) move bulk past this process: through a pipe of 1 MiB it took the processor as long as reads of
1 MiB do, and was a fifth slower. This module must not know rules, sessions, or what an ending means to
anybody.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final, Protocol

from .legs import Leg, LegIO, LegLost

_CHUNK: Final = 1024 * 1024
"""Bytes read at once: the most that a stalled receiver can cost in memory, beside what its kernel keeps."""

_CHUNKS_A_TURN: Final = 4
"""How much one flow may move before the others get their turn."""

# One buffer for all flows of the process: what is read is handed on, or copied, before anybody else reads.
_BUFFER: Final = memoryview(bytearray(_CHUNK))


class Behind(enum.Enum):
    """What follows the bytes of a read that has not filled its room."""

    NOTHING = enum.auto()
    """The source is empty now."""
    FIN = enum.auto()
    UNKNOWN = enum.auto()


class Line(Protocol):
    """What toxics put between a leg and its flow: bytes come out of it in their own time (toxics/line.py)."""

    held: int
    """Bytes that are in it."""

    @property
    def wants_read(self) -> bool:
        """Whether anything would be read if it were there."""

    def receive_into(self, buffer: memoryview) -> int:
        """As `LegIO.receive_into`, of what has come out."""

    def open(self) -> None:
        """Let everything out: it does not matter any more when it comes."""

    def lose_all(self) -> int:
        """How many bytes were in it, which nobody will ever have."""


class FlowOwner(Protocol):
    """Whoever wants to know what a flow meets. Called from within `Flow.move`."""

    def flow_ended(self, flow: Flow) -> None:
        """EOF was read, and every byte before it has been passed on."""

    def leg_was_lost(self, leg: Leg) -> None:
        """A read or a write has met the loss of this leg.

        To be noted now and acted on later: the flow that calls is in the middle of its work.
        """

    def mark_reached(self, flow: Flow, count: int) -> None:
        """Exactly `count` bytes have come and have been passed on."""

    def fin_left(self, flow: Flow) -> None:
        """The FIN that `finish` asked for has been sent."""


class Flow:
    """One direction of a session: from the endpoint of `leg` to the other endpoint."""

    __slots__ = (
        "_back",
        "_corked",
        "_discard_why",
        "_fin_due",
        "_keep_back",
        "_marks",
        "_owner",
        "_sink",
        "_source",
        "_unsent",
        "clock",
        "ended",
        "last_read",
        "leg",
        "line",
        "losses",
        "paused",
        "received",
        "stopped",
    )

    def __init__(self, leg: Leg, source: LegIO, sink: LegIO, owner: FlowOwner) -> None:
        self.leg = leg
        self.received = 0
        """Bytes that have come from the source."""
        self.losses: dict[str, int] = {}
        """Bytes lost, by reason."""
        self.ended = False
        """There is nothing more to read: EOF, or the loss of the leg, has been met."""
        self.clock: Callable[[], float] | None = None
        """Set where somebody has to know `last_read`."""
        self.last_read = 0.0
        self.stopped = False
        """Nothing moves any more, and nothing is read."""
        self.paused = False
        """Nothing is read for the time being."""
        self.line: Line | None = None
        """What the bytes pass through before they come here, where there are toxics."""
        self._source = source
        self._sink = sink
        self._owner = owner
        self._unsent: memoryview | bytes = b""
        self._marks: list[int] = []
        self._discard_why: str | None = None
        self._keep_back = 0
        self._back = bytearray()
        self._fin_due = False
        self._corked = False
        """The kernel keeps the last bytes, so that the FIN behind them can travel in their segment."""

    # --- moving -----------------------------------------------------------------------------------

    def move(self, behind: Behind = Behind.UNKNOWN) -> bool:
        """Move what can be moved now; True if it stopped for the sake of others and wants another turn.

        `behind`: nothing saves the read that would only say so, one of three calls for a small message. A FIN
        lets the last bytes wait for it, so that the receiver is woken once for both.
        """
        for _ in range(_CHUNKS_A_TURN):
            if self._unsent and not self._push():
                return False
            while self._marks and self.received >= self._marks[0]:
                self._owner.mark_reached(self, self._marks.pop(0))
            if self.stopped or self.paused or self.ended or not self._read(behind):
                return False
        return True

    def _read(self, behind: Behind) -> bool:
        """Read once and pass it on; False when there is nothing more to read."""
        room = _BUFFER[: self._marks[0] - self.received] if self._marks else _BUFFER
        try:
            count = (self.line or self._source).receive_into(room)
        except LegLost:
            self.ended = True
            self._owner.leg_was_lost(self.leg)
            self._uncork()
            return False
        if count <= 0:
            return self._nothing_came(ended=count == 0)
        self.received += count
        if self.clock:
            self.last_read = self.clock()
        is_last = count < len(room) and self.line is None
        self._pass_on(room[:count], cork=is_last and behind is Behind.FIN)
        return not (is_last and behind is Behind.NOTHING)

    def _nothing_came(self, *, ended: bool) -> bool:
        """A read gave EOF, or nothing; True where there is something to do all the same."""
        if ended:
            self.ended = True
            self._owner.flow_ended(self)
        self._uncork()  # a FIN that has not been sent by now may be kept for long
        return not ended and self._mark_was_passed

    def _pass_on(self, data: memoryview, *, cork: bool) -> None:
        if self._discard_why is not None:
            self.lose(len(data), self._discard_why)
        elif self._keep_back:
            self._back += data
            if oldest := _take(self._back, len(self._back) - self._keep_back):
                self._unsent = oldest
                self._push()
        elif (sent := self._send(data, cork=cork)) < len(data):
            self._unsent = bytes(data[sent:])

    def _push(self) -> bool:
        """Send what is waiting; True when nothing waits any more."""
        if self.stopped:
            return False
        sent = self._send(self._unsent)
        self._unsent = memoryview(self._unsent)[sent:]
        if self._unsent:
            return False
        self._unsent = b""
        if self._fin_due:
            self._send_fin()
        return True

    def _send(self, data: memoryview | bytes, *, cork: bool = False) -> int:
        """How many bytes the sink took: none where it is full, and none where it is lost."""
        self._corked = cork
        try:
            return max(0, self._sink.send(data, cork))
        except LegLost:
            self._owner.leg_was_lost(self.leg.other)
            return 0

    def _uncork(self) -> None:
        if self._corked:
            self._corked = False
            self._sink.uncork()

    # --- steering ---------------------------------------------------------------------------------

    @property
    def blocked(self) -> bool:
        """Whether bytes that were read wait for room at the receiver."""
        return len(self._unsent) > 0

    @property
    def wants_read(self) -> bool:
        """Whether anything would be read if it were there."""
        if self.stopped or self.paused or self.ended or self._unsent:
            return False
        return self.line is None or self.line.wants_read

    @property
    def arrived(self) -> int:
        """Bytes that have been read from the source, whether or not they have come out of the line."""
        return self.received + (self.line.held if self.line else 0)

    @property
    def waits_in_line(self) -> bool:
        """Whether what is still to come waits for the line and not for the receiver."""
        return self.line is not None and not self.blocked

    def mark(self, count: int) -> None:
        """Tell the owner when exactly `count` bytes have been passed on."""
        self._marks = sorted({*self._marks, count})

    def keep_back(self, count: int) -> None:
        """Keep the newest `count` bytes back; 0 lets them go."""
        self._keep_back = count
        if self._back:
            self._queue(_take(self._back, len(self._back) - count))

    def drop_newest(self, count: int, why: str) -> None:
        """Lose the newest `count` of the bytes kept back, or as many as there are."""
        dropped = self._back[-count:]
        del self._back[-count:]
        self.lose(len(dropped), why)

    def discard(self, why: str) -> None:
        """Count and lose whatever comes from now on; what was read before is still sent."""
        self._discard_why = why
        if self.line:
            self.line.open()

    def finish(self) -> None:
        """Send a FIN behind everything that was read."""
        self._fin_due = True
        self.flush()
        if self._fin_due and not self._unsent:
            self._send_fin()

    def flush(self) -> None:
        """Send what was kept back, as far as there is room now."""
        self.keep_back(0)
        if self._unsent:
            self._push()

    def swallowed(self, count: int, why: str) -> None:
        """The line has lost bytes that had come from the source."""
        self.received += count
        self.lose(count, why)
        if self.clock:
            self.last_read = self.clock()

    def source_is_gone(self, unread: int, why: str) -> None:
        """The source is given up: what nobody has read, and what has not come out of the line, is lost."""
        self.lose(unread + (self.line.lose_all() if self.line else 0), why)
        self.ended = True

    def sink_is_gone(self, unacknowledged: int, why: str) -> None:
        """The receiver is no more: what was due to it, and what it never acknowledged, is lost."""
        self.lose(len(self._unsent) + len(self._back) + unacknowledged, why)
        self._unsent = b""
        self._back.clear()
        self._fin_due = False

    def lose(self, count: int, why: str) -> None:
        """Count lost bytes."""
        if count:
            self.losses[why] = self.losses.get(why, 0) + count

    @property
    def _mark_was_passed(self) -> bool:
        """Whether a mark was reached by bytes that the line has lost."""
        return bool(self._marks) and self.received >= self._marks[0]

    def _queue(self, data: bytes) -> None:
        if data:
            self._unsent = bytes(self._unsent) + data

    def _send_fin(self) -> None:
        self._fin_due = self._corked = False
        if self._sink.send_fin():
            self._owner.fin_left(self)


def _take(buffer: bytearray, count: int) -> bytes:
    """Remove and return the oldest `count` bytes."""
    taken = bytes(buffer[: max(0, count)])
    del buffer[: max(0, count)]
    return taken
