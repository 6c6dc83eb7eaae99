"""What every technique promises: the nouns that a session needs to keep segments out of one leg.

Role: the interface between the proxy and the files beside this one, and nothing else. It must not know how
any technique works, nor when a segment is to be let in: that is the engine's decision, and the clock is the
session's. Every call is synchronous and returns at once, so that it may be made from a callback; the
exceptions are `probe` and a technique's first `prepare`, which may take some milliseconds: both belong to
start-up.

One leg, from its birth to its end:

    technique.prepare(listener)            # before listen(), or before connect() on a new socket
    leg = accept() or connect()
    hold = technique.hold(leg)             # at once; legs that no rule concerns release() directly
    hold.look()                            # each `look_every` seconds, until it says KEPT_OUT
    hold.release()                         # the FIN may come in now
    hold.close()                           # when EOF has been read, or before the leg's fd is released

The first step is what closes a race: a client may connect, send and close before accept() has returned.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from finproxy.errors import FinproxyError

if TYPE_CHECKING:
    import socket


class WireError(FinproxyError):
    """A wire action cannot be served here: which technique expected and found what, and what to do."""

    def __init__(self, found: str, what_to_do: str) -> None:
        super().__init__(f"{found}; {what_to_do}")
        self.found, self.what_to_do = found, what_to_do


class Keep(Enum):
    """Which of the peer's segments are kept out. RST segments and pure ACKs never are."""

    FIN = "fin"
    """Segments that carry FIN, with whatever data and ACK they carry besides."""
    BARE_FIN = "bare-fin"
    """Segments that carry FIN and no data: answering such a FIN before it is let in loses no byte.

    A FIN that shares its segment with data comes in as if nothing were kept out."""
    DATA = "data"
    """Segments that carry data but no FIN: the FIN overtakes them (`overtake`).

    It can overtake no more than one congestion window, 10 segments on a new leg (RFC 6928): the peer sends
    its FIN only once all data before it has been sent, and what is kept out is never acknowledged.
    """


class Sight(Enum):
    """What a look at a held leg showed."""

    NOTHING = "nothing"
    """No segment has been kept out, so far as this technique can see."""
    KEPT_OUT = "kept-out"
    """A FIN (with `Keep.DATA`: a data segment) has arrived and was kept out."""
    WINDOW_SHUT = "window-shut"
    """Zero window only: a FIN, if there is one, waits in the peer's kernel; nothing here can tell whether."""
    OVERTOOK = "overtook"
    """With `Keep.DATA` only: a segment was queued out of order, ahead of data that is kept out: the FIN."""
    ACCEPTED = "accepted"
    """This kernel has accepted the FIN: the leg is in CLOSE-WAIT, CLOSING or LAST-ACK."""
    ENDED = "ended"
    """The leg is in CLOSED: it was reset, or both FINs are accepted."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a technique can do on any machine where its probe succeeds."""

    bare_fin: bool
    """Holds a FIN that no data precedes. Otherwise pending bytes must fill the receive window first."""
    overtake: bool
    """Can keep `Keep.DATA` out while the FIN passes."""
    instant_release: bool
    """After release() the FIN is accepted within about 1 ms. Otherwise with the peer's next retransmission,
    which can be as far away as the hold was long (RFC 6298, section 5: the timer doubles each time)."""
    sees_fin: bool
    """look() reports KEPT_OUT. Otherwise it reports no more than WINDOW_SHUT."""
    stops_reading: bool
    """Works only while nobody reads from the leg: the relay must stop reading when the hold begins."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a technique kept one real FIN out, here and now."""

    ok: bool
    why: str
    """What was observed, or what is missing."""
    what_to_do: str = ""
    """Empty when `ok`."""


class WireHold(ABC):
    """One leg whose peer's segments are kept out. Made by `Technique.hold`, armed from the start.

    To keep a FIN out for ever, keep the leg's fd and its hold: once the fd is released, the kernel moves the
    leg to a smaller structure (inet_timewait_sock), which knows no filter and no mark and accepts the FIN.
    """

    @abstractmethod
    def look(self) -> Sight:
        """Say what has happened on this leg so far. Never blocks; some microseconds."""

    @abstractmethod
    def release(self) -> None:
        """Let in what was kept out, and all that follows. May be called again, to no effect."""

    @abstractmethod
    def arm(self) -> None:
        """Keep segments out again after a release; look() starts afresh. No effect on an armed hold."""

    @abstractmethod
    def close(self) -> None:
        """Release, forget the leg, and acknowledge at once. May be called again.

        Call it when EOF has been read, or when the leg is given up, but before its fd is released. After EOF
        it also sends the ACK of the FIN, which the kernel may otherwise delay by up to 40 ms. Once the fd is
        released, only what waits in this process is let go.
        """


class Technique(ABC):
    """One way to keep segments out: one object a process, one `WireHold` a leg."""

    name: str
    abilities: Abilities
    look_every: float = 0.01
    """Seconds between two looks: the longest that a kept-out FIN stays unnoticed. The session sleeps them."""

    @abstractmethod
    def probe(self) -> Probe:
        """Hold and release one real FIN on loopback. Blocks, under 1 s; leaves nothing behind."""

    @abstractmethod
    def prepare(self, sock: "socket.socket", keep: Keep = Keep.FIN) -> None:
        """Make a socket without a peer (listening soon, or connecting soon) keep segments out from its first.

        Accepted sockets inherit it from their listener.

        Raises:
            WireError: The kernel refuses, or this technique cannot keep such segments out.

        """

    @abstractmethod
    def hold(self, leg: "socket.socket", keep: Keep = Keep.FIN) -> WireHold:
        """Take charge of one connected leg, which should have been prepared, and keep its segments out.

        Raises:
            WireError: The kernel refuses, or this technique cannot keep such segments out.

        """

    def fileno(self) -> int | None:
        """Return an fd that becomes readable when a look() is worth while, or None: then poll."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Release every hold and undo what was done to the machine. May be called again."""
