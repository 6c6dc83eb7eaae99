"""The nouns of the proxy: the two legs of a session, addresses, and how a session ended.

Pure values. This module must not know sockets, trio, the clock or the rules: the engine, the shell
around it and the journal all speak of sessions in these words.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final, Protocol

Address = tuple[str, int]
"""Host and port as the kernel reports them: numeric host, no brackets, no scope."""


class Leg(enum.Enum):
    """One of the two TCP connections of a session, named after the endpoint at its far end."""

    CLIENT = "client"
    """The connection from the client to the proxy."""
    SERVER = "server"
    """The connection from the proxy to the server."""

    other: Leg
    """The leg on the opposite side of the proxy."""

    # There is one of each, so identity will do: an enum's own hash is a Python function, and a session
    # asked for it more than a hundred times.
    __hash__ = object.__hash__

    def __str__(self) -> str:
        return str(self.value)


Leg.CLIENT.other, Leg.SERVER.other = Leg.SERVER, Leg.CLIENT

LEGS: Final = (Leg.CLIENT, Leg.SERVER)
"""Both, for whoever walks over them in each session: an enum's own iterator costs three times as much."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An endpoint's connection as its own kernel names it: what a socket table has to be searched for."""

    local: Address
    """The endpoint's own address."""
    remote: Address
    """The proxy's, on the leg to this endpoint."""


class FlowEnd(enum.Enum):
    """How the bytes of one endpoint came to their end. FIN and RST are never the same word."""

    OPEN = "open"
    """The endpoint had not ended its flow when the session was over."""
    FIN = "fin"
    RESET = "reset"
    FAILED = "failed"
    """The kernel gave the leg up (time-out, no route): the endpoint itself said nothing."""

    def __str__(self) -> str:
        return self.value


class Relayed(enum.Enum):
    """What the *other* endpoint was told about the end of a flow."""

    NOTHING = "nothing"
    FIN = "fin"
    RESET = "reset"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Loss:
    """Bytes that an endpoint sent and that the other will never read."""

    leg: Leg
    """The leg the bytes came from."""
    bytes: int
    why: str
    """The rule that lost them, in the rule notation, or a sentence."""


@dataclass(frozen=True, slots=True)
class FlowEnding:
    """How one endpoint's flow ended, and what became of that end."""

    ended: FlowEnd
    relayed: Relayed
    bytes: int
    """Bytes received from the endpoint."""
    kept: float = 0.0
    """Seconds for which a rule kept the end of this flow from the other endpoint."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended: who ended each flow and how, what was lost, how long it took."""

    client: FlowEnding
    server: FlowEnding
    closed_first: Leg | None
    """The endpoint that ended its flow first; None where the proxy ended both."""
    duration: float
    """Seconds from the opening of the session."""
    losses: tuple[Loss, ...] = field(default=())
    aborted: str | None = None
    """Why the proxy itself gave the session up; None where the endpoints ended it."""

    @property
    def lost(self) -> int:
        """Bytes lost, both directions together."""
        return sum(loss.bytes for loss in self.losses)

    def flow(self, leg: Leg) -> FlowEnding:
        """The ending of the flow that comes from `leg`."""
        return self.client if leg is Leg.CLIENT else self.server


WOULD_BLOCK: Final = -1
"""What `LegIO.receive_into` and `LegIO.send` return where there is nothing to read, or no room."""


@dataclass(frozen=True)
class LegLost(Exception):  # noqa: N818 - nobody's error: it says what became of the leg
    """The leg is gone: reset by its endpoint, or given up by the kernel."""

    how: FlowEnd
    reason: str
    after_fin: bool = False
    """The endpoint's FIN had come before: EOF is still to be read as FIN."""


class LegIO(Protocol):
    """The acts of one leg. Real on a socket (sockets/leg.py), in memory for tests (testing.py)."""

    fd: int
    local: Address
    remote: Address
    lost: LegLost | None
    """Set at the first sign of the loss, whichever call it showed in."""

    def receive_into(self, buffer: memoryview) -> int:
        """Read what is there: a count, 0 for EOF (a FIN), or `WOULD_BLOCK`.

        Raises:
            LegLost: all that preceded the loss has been read.
        """

    def send(self, data: memoryview | bytes, cork: bool = False) -> int:
        """Send what the kernel takes: how many bytes that were, or `WOULD_BLOCK`.

        `cork`: more is sent at once, and may share a segment with these; without it all goes that was kept.

        Raises:
            LegLost: the leg takes no bytes any more; what it has received may still be read.
        """

    def uncork(self) -> None:
        """Let bytes go that `send` was told to keep for what follows them; nothing follows after all."""

    def send_fin(self) -> bool:
        """Send a FIN and keep the fd; False where the leg was lost meanwhile."""

    def look_for_loss(self) -> LegLost | None:
        """Whether the leg is lost: also finds the RST after a FIN, which no read raises."""

    def unacknowledged(self) -> int:
        """Bytes sent and not yet acknowledged by the endpoint; a FIN in flight counts as nothing."""

    def settled(self) -> bool:
        """Whether the endpoint has acknowledged all that was sent, a FIN included."""

    def unread(self) -> int:
        """Bytes received that nobody has read."""

    def tcp_state(self) -> str | None:
        """The kernel's state of our end, such as ``FIN-WAIT-2``; None where nobody can tell."""

    def abort(self) -> None:
        """Reset the connection at once. Synchronous, so that it works under cancellation."""

    def release(self) -> None:
        """Give up the fd; only after EOF was read, or after a loss."""
