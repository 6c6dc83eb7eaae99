"""What is to be done: everything the engine ever asks for, one operating-system act each.

Frozen imperatives. This module must not know how an act is carried out: session.py does that on
sockets, testing.py on fakes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .legs import Leg
from .rules import Action


@dataclass(frozen=True, slots=True)
class KeptTimer:
    """When it fires, what is kept of `leg` is let go. `serial` tells an outdated timer from a live one."""

    leg: Leg
    serial: int


@dataclass(frozen=True, slots=True)
class MomentTimer:
    """When it fires, the rules ``leg.after delay`` are due."""

    leg: Leg
    delay: float


Timer: TypeAlias = KeptTimer | MomentTimer


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Report `TimerFired` in `delay` seconds."""

    timer: Timer
    delay: float


@dataclass(frozen=True, slots=True)
class WatchBytes:
    """Report `BytesReached` exactly when `count` bytes have come from this endpoint."""

    leg: Leg
    count: int


@dataclass(frozen=True, slots=True)
class WatchIdle:
    """Report `IdleReached` once no byte has come from this endpoint for `delay` seconds."""

    leg: Leg
    delay: float


@dataclass(frozen=True, slots=True)
class KeepBack:
    """Keep the newest `count` bytes from this endpoint back, until its flow ends."""

    leg: Leg
    count: int


@dataclass(frozen=True, slots=True)
class DropNewest:
    """Lose the newest `count` of the bytes kept back from this endpoint."""

    leg: Leg
    count: int
    why: str


@dataclass(frozen=True, slots=True)
class Discard:
    """From now on, count and discard what comes from this endpoint."""

    leg: Leg
    why: str


@dataclass(frozen=True, slots=True)
class StopMoving:
    """Move no byte any more, in either direction, and read none; `why` explains what is lost by it."""

    why: str


@dataclass(frozen=True, slots=True)
class KeepFinOut:
    """Keep this endpoint's FIN segment from being accepted, as `action` wants it; report `FinKeptOut`."""

    leg: Leg
    action: Action


@dataclass(frozen=True, slots=True)
class LetFinIn:
    """Let the FIN segment in that was kept out; `FinReceived` follows when the kernel has accepted it."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class SendFin:
    """Send a FIN on this leg behind every byte that is due on it, keep the fd, report `FinSent`."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class AwaitDelivery:
    """Report `Delivered` once the peer has acknowledged all that is due on this leg.

    `bounded`: or once the session's delivery limit has passed.
    """

    leg: Leg
    bounded: bool


@dataclass(frozen=True, slots=True)
class Abort:
    """Reset this leg at once (linger zero and close); `why` explains what is lost by it."""

    leg: Leg
    why: str


@dataclass(frozen=True, slots=True)
class Release:
    """Give up the fd of a leg on which nothing is left to send or to read."""

    leg: Leg
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """Write a decision of the engine to the records, such as ``fin.held``."""

    event: str
    leg: Leg
    fields: tuple[tuple[str, str | float], ...] = ()


Command: TypeAlias = (
    StartTimer
    | WatchBytes
    | WatchIdle
    | KeepBack
    | DropNewest
    | Discard
    | StopMoving
    | KeepFinOut
    | LetFinIn
    | SendFin
    | AwaitDelivery
    | Abort
    | Release
    | Report
)
