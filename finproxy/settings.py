"""All that makes one proxy what it is: values, however they were given.

This module must not parse anything: the notation, addresses and durations have modules of their own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from .legs import Address
from .rules import Rule
from .toxics.values import Toxic, checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that makes one proxy what it is."""

    upstream: Address
    listen: Address = ("127.0.0.1", 0)
    rules: tuple[Rule, ...] = ()
    toxics: tuple[Toxic, ...] = ()
    name: str | None = None
    first_session: int = 1
    """The number of the first session: a proxy that is opened anew goes on counting."""
    seed: int = field(default_factory=lambda: random.randrange(2**32))
    """With the same seed, rules and order of connections, the same sessions meet the same chance."""
    max_sessions: int | None = None
    """Connections beyond it are refused with a reset; None leaves it to the system's limits."""
    connect_timeout: float = 10.0
    """Seconds for the upstream to accept."""
    grace: float = 1.0
    """Seconds that sessions get to finish when the proxy stops."""
    delivery_limit: float = 10.0
    """Seconds that a reset waits, at most, for what was sent before it to be acknowledged."""
    wire: str | None = None
    """The technique that keeps FIN segments out, by name; None chooses the best that works here."""

    def __post_init__(self) -> None:
        checked(self.toxics)
