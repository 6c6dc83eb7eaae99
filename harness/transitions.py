"""What happened to an endpoint: state transitions with their evidence, and segments the kernel reported.

Frozen values that sources and the watcher exchange. This module must not know how they were found out, nor
which transitions are legal. All times are seconds of the monotonic clock, which on Linux is also the clock
that the tracepoint source asks the kernel to stamp with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.rows import Endpoint, Owner
from harness.states import TcpState


@dataclass(frozen=True, slots=True)
class Observed:
    """A source showed the state. With `exact` no other state can hide between this one and the one before.

    The tracepoint reports every transition, so what it shows is exact. A table is only looked at now and
    then: rungs shorter than the time between two looks stay unseen.
    """

    source: str
    exact: bool = False

    def __str__(self) -> str:
        return self.source


@dataclass(frozen=True, slots=True)
class Inferred:
    """No source showed the state, but it lies on every legal way to a later one that was shown."""

    proved_by: str

    def __str__(self) -> str:
        return f"inferred from {self.proved_by}"


Evidence = Observed | Inferred


@dataclass(frozen=True, slots=True)
class Transition:
    """An endpoint went from `before` to `after`, at the latest at `at` and not before `earliest`.

    `before` is None for the first state seen. `owner` is who held the socket then, or the last known holder.
    """

    endpoint: Endpoint
    before: TcpState | None
    after: TcpState
    at: float
    earliest: float
    evidence: Evidence
    owner: Owner | None = None

    @property
    def may_hide_rungs(self) -> bool:
        """Whether states between `before` and `after` can have been missed."""
        return not (isinstance(self.evidence, Observed) and self.evidence.exact)


@dataclass(frozen=True, slots=True)
class StateChange:
    """A transition as the kernel announced it, before it is merged with what the table shows."""

    endpoint: Endpoint
    before: TcpState
    after: TcpState
    at: float
    source: str


@dataclass(frozen=True, slots=True)
class SegmentEvent:
    """The kernel sent or received an RST on this endpoint, or sent a segment again.

    `source` is who says so: the tracepoint, or the journal of the proxy that sent or received it.
    `reason` is the kernel's (enum sk_rst_reason, for example TCP_ABORT_ON_CLOSE: closed with unread bytes),
    or "".
    """

    kind: Literal["reset sent", "reset received", "retransmission"]
    endpoint: Endpoint
    at: float
    source: str
    reason: str = ""


JOURNAL = "the proxy's journal"
"""A source: what the proxy has recorded of a session, where nobody watches its segments."""

KernelEvent = StateChange | SegmentEvent


@dataclass(frozen=True, slots=True)
class OwnerFound:
    """Who holds an endpoint's socket, found out after its first transition."""

    endpoint: Endpoint
    owner: Owner


FarEvent = Transition | SegmentEvent | OwnerFound
"""What a watch somewhere else tells: transitions that are worked out already."""

Event = KernelEvent | FarEvent


class Track(Protocol):
    """What is known of one endpoint: a SeenEndpoint and an EndpointHistory are such."""

    @property
    def transitions(self) -> Sequence[Transition]:
        """States in order."""
        ...

    @property
    def segments(self) -> Sequence[SegmentEvent]:
        """RSTs the kernel reported."""
        ...
