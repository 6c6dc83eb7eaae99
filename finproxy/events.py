"""What happened to a session: everything the engine is ever told.

Frozen facts in the past tense. `at` is seconds since the session opened. This module must not know
who observed a fact or what will be done about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .commands import Timer
from .legs import Leg
from .rulebook import RuleBook
from .rules import Action


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """Both legs are established."""

    at: float


@dataclass(frozen=True, slots=True)
class FinReceived:
    """The endpoint ended its flow: EOF was read, after the last of its bytes had been passed on."""

    at: float
    leg: Leg


@dataclass(frozen=True, slots=True)
class ResetReceived:
    """The endpoint reset its leg; what it had sent before has been passed on."""

    at: float
    leg: Leg


@dataclass(frozen=True, slots=True)
class LegFailed:
    """The kernel gave the leg up without a word from its endpoint (time-out, no route)."""

    at: float
    leg: Leg
    reason: str


@dataclass(frozen=True, slots=True)
class FinSent:
    """The proxy's FIN has left on this leg, behind every byte that precedes it."""

    at: float
    leg: Leg


@dataclass(frozen=True, slots=True)
class Delivered:
    """All that was sent on this leg, a FIN included, is acknowledged; or the wait for it ran out."""

    at: float
    leg: Leg


@dataclass(frozen=True, slots=True)
class BytesReached:
    """Exactly `count` bytes have come from the endpoint and have been passed on."""

    at: float
    leg: Leg
    count: int


@dataclass(frozen=True, slots=True)
class IdleReached:
    """No byte has come from the endpoint for `delay` seconds."""

    at: float
    leg: Leg
    delay: float


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer that the engine started has run out."""

    at: float
    timer: Timer


@dataclass(frozen=True, slots=True)
class FinKeptOut:
    """The endpoint's FIN segment has arrived, and was kept from being accepted."""

    at: float
    leg: Leg


@dataclass(frozen=True, slots=True)
class FinOvertook:
    """The endpoint's FIN segment has arrived ahead of data that precedes it."""

    at: float
    leg: Leg


@dataclass(frozen=True, slots=True)
class ActionRequested:
    """Somebody asked for an action on the end of this endpoint's flow, whatever the rules say."""

    at: float
    leg: Leg
    action: Action
    toxic: str = ""
    """The name of the toxic that asked, if it was one."""


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """Other rules hold from now on; what has happened, or is kept, is not undone."""

    at: float
    book: RuleBook


@dataclass(frozen=True, slots=True)
class Released:
    """Somebody asked that what is kept of this endpoint be let go."""

    at: float
    leg: Leg


@dataclass(frozen=True, slots=True)
class AbortRequested:
    """The session has to end now, with a reset on both legs."""

    at: float
    why: str


Event: TypeAlias = (
    SessionOpened
    | FinReceived
    | ResetReceived
    | LegFailed
    | FinSent
    | Delivered
    | BytesReached
    | IdleReached
    | TimerFired
    | FinKeptOut
    | FinOvertook
    | ActionRequested
    | RulesChanged
    | Released
    | AbortRequested
)
