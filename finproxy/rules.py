"""Rules as frozen values: whose act triggers one, what fires it, and what the other endpoint sees.

The table of triggers and actions is the contract of the notation (see `finproxy rules`). This module
must not know how a rule is spelled (notation.py) nor how it is carried out (engine.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from .errors import UsageError
from .legs import Leg


class RuleError(UsageError):
    """A rule that cannot be read, or that does not make sense."""


# --- triggers -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fin:
    """That endpoint ended its flow with a FIN."""


@dataclass(frozen=True, slots=True)
class Reset:
    """That endpoint sent a RST."""


@dataclass(frozen=True, slots=True)
class Connect:
    """The session is established."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """That endpoint has sent `count` bytes; fires once, exactly at that byte."""

    count: int

    def __post_init__(self) -> None:
        _at_least(self.count, 1, "a byte count")


@dataclass(frozen=True, slots=True)
class After:
    """`delay` seconds after the session opened."""

    delay: float

    def __post_init__(self) -> None:
        _at_least(self.delay, 0, "a duration")


@dataclass(frozen=True, slots=True)
class Idle:
    """`delay` seconds without a byte from that endpoint."""

    delay: float

    def __post_init__(self) -> None:
        _more_than(self.delay, 0, "an idle time")


Trigger: TypeAlias = Fin | Reset | Connect | Bytes | After | Idle
"""What fires a rule. `Fin` and `Reset` are *endings*; the others are *moments*."""


# --- actions --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Relay:
    """FIN as FIN, RST as RST, after every byte before it."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The same, `delay` seconds later, plus or minus nothing to `jitter` seconds, uniformly."""

    delay: float
    jitter: float = 0.0

    def __post_init__(self) -> None:
        _at_least(self.delay, 0, "a delay")
        _at_least(self.jitter, 0, "a jitter")


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing until released, or `limit` seconds at most."""

    limit: float | None = None

    def __post_init__(self) -> None:
        if self.limit is not None:
            _at_least(self.limit, 0, "a hold's limit")


@dataclass(frozen=True, slots=True)
class Drop:
    """Nothing, ever: the receiver believes that the sender is alive."""


@dataclass(frozen=True, slots=True)
class Reorder:
    """This FIN only after the FIN of the opposite flow has been relayed."""


@dataclass(frozen=True, slots=True)
class Simultaneous:
    """Both FINs are kept until both have arrived, then sent together."""


@dataclass(frozen=True, slots=True)
class SendFin:
    """A FIN now, though the endpoint has not closed; later bytes are counted and discarded."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """FIN in place of the last `count` bytes."""

    count: int

    def __post_init__(self) -> None:
        _at_least(self.count, 1, "a byte count")


@dataclass(frozen=True, slots=True)
class Overtake:
    """At wire only: data segments wait up to `limit` seconds, the FIN does not."""

    limit: float = 0.05

    def __post_init__(self) -> None:
        _more_than(self.limit, 0, "an overtake's limit")


@dataclass(frozen=True, slots=True)
class SendReset:
    """RST."""


@dataclass(frozen=True, slots=True)
class FullClose:
    """Both flows end at once, as in a proxy that knows no half-close."""


@dataclass(frozen=True, slots=True)
class Blackhole:
    """No byte and no FIN moves any more, in either direction; both legs stay open."""


Action: TypeAlias = (
    Relay
    | Delay
    | Hold
    | Drop
    | Reorder
    | Simultaneous
    | SendFin
    | Truncate
    | Overtake
    | SendReset
    | FullClose
    | Blackhole
)

WIRE_ACTIONS: tuple[type[Action], ...] = (Hold, Delay, Drop, Reorder, Simultaneous, Overtake)
"""Actions that can act on the FIN segment itself; `Overtake` can act nowhere else."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the notation: ``LEG.TRIGGER -> ACTION [at wire] [@PROBABILITY]``.

    `str(rule)` is that line, in one canonical spelling.
    """

    leg: Leg | None
    """The leg whose act triggers the rule; None is ``any``."""
    trigger: Trigger
    action: Action
    at_wire: bool = False
    probability: float = 1.0
    """The share of sessions in which the rule is in play: drawn once a session for each rule."""

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1:
            raise RuleError(f"expected a probability above 0 and up to 1, found {self.probability:g}")
        if self.at_wire:
            self._check_at_wire()
        elif isinstance(self.action, Overtake):
            raise RuleError(
                "overtake reorders segments, which only the wire can do: write 'overtake at wire'"
            )

    def _check_at_wire(self) -> None:
        if not isinstance(self.action, WIRE_ACTIONS):
            raise RuleError(
                "expected hold, delay, drop, reorder, simultaneous or overtake before 'at wire': "
                "the others do not act on a FIN segment"
            )
        if not isinstance(self.trigger, Fin):
            raise RuleError(
                "expected the trigger 'fin' in a rule at wire: only a FIN segment can be kept out"
            )

    def concerns(self, leg: Leg) -> bool:
        """Whether an act of `leg`'s endpoint can trigger this rule."""
        return self.leg is None or self.leg is leg

    def __str__(self) -> str:
        from .notation import format_rule  # notation.py imports this module

        return format_rule(self)


def _at_least(value: float, least: float, what: str) -> None:
    if not least <= value < inf:
        raise RuleError(f"expected {what} of {least:g} or more, found {value:g}")


def _more_than(value: float, bound: float, what: str) -> None:
    if not bound < value < inf:
        raise RuleError(f"expected {what} above {bound:g}, found {value:g}")
