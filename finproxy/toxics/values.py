"""Toxics as frozen values: a kind with its attributes, whose bytes it is done to, and in how many sessions.

Kinds, attributes and units are Toxiproxy's, so that its clients can send them; `Fin` alone is our own. All
attributes are whole numbers of 64 bits, as there, and a negative one counts as 0. This module must not know
how a toxic is carried out (stages.py, rules_of.py), nor how one is written in JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from ..errors import UsageError
from ..legs import Leg
from ..notation import parse_rule
from ..reading import NotationError, did_you_mean
from ..rules import Rule


class ToxicError(UsageError):
    """A toxic that cannot be meant: a wrong stream, type, attribute or name."""


class _Attributes:
    """What the attributes of all kinds have in common."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for name, value in _named(self).items():
            # Not isinstance: a bool is an int to Python, and a mistake here.
            if type(value) is not int or not -(2**63) <= value < 2**63:
                raise ToxicError(f"expected a whole number of 64 bits as '{name}', found {value!r}")


@dataclass(frozen=True, slots=True)
class Noop(_Attributes):
    """Everything passes."""


@dataclass(frozen=True, slots=True)
class Latency(_Attributes):
    """Bytes leave later than they came. The end of the flow leaves right behind the last of them."""

    latency: int = 0
    """Milliseconds."""
    jitter: int = 0
    """Milliseconds, more or less, drawn uniformly for each piece; order is kept all the same."""


@dataclass(frozen=True, slots=True)
class Bandwidth(_Attributes):
    """Bytes leave at a limited rate, evenly."""

    rate: int = 0
    """Kilobytes (of 1,000 bytes) a second; with 0 nothing leaves."""


@dataclass(frozen=True, slots=True)
class SlowClose(_Attributes):
    """Bytes pass; the end of the flow, FIN or RST, is passed on later."""

    delay: int = 0
    """Milliseconds."""


@dataclass(frozen=True, slots=True)
class Timeout(_Attributes):
    """Bytes are lost; after some time without any, both flows are ended. So they are when it is removed."""

    timeout: int = 0
    """Milliseconds; 0 is never."""


@dataclass(frozen=True, slots=True)
class ResetPeer(_Attributes):
    """Bytes stand still, and then both legs are reset."""

    timeout: int = 0
    """Milliseconds since the session opened, or since the toxic was added or changed."""


@dataclass(frozen=True, slots=True)
class Slicer(_Attributes):
    """Bytes leave in small pieces."""

    average_size: int = 0
    """Bytes of a piece; with 0 nothing is sliced."""
    size_variation: int = 0
    """Bytes, more or less, drawn uniformly for each piece."""
    delay: int = 0
    """Microseconds between two pieces."""


@dataclass(frozen=True, slots=True)
class LimitData(_Attributes):
    """So many bytes pass, counted in each session since the toxic was added; then both flows are ended."""

    bytes: int = 0
    """With 0 the flows are ended when the first byte comes, which is lost."""


@dataclass(frozen=True, slots=True)
class Fin:
    """A rule as a toxic: our own kind, for whoever steers the proxy through a Toxiproxy client."""

    rule: str
    """In the notation. Its own leg says whose act triggers it, whatever the toxic's stream says."""

    def __post_init__(self) -> None:
        if not isinstance(self.rule, str):
            raise ToxicError(
                f"expected a rule such as 'client.fin -> hold' as the fin toxic's rule, found {self.rule!r}"
            )
        if self.parsed().at_wire:
            raise ToxicError(
                f"'{self.rule}': a toxic comes and goes with sessions open, but segments can only be kept "
                "out from a session's beginning on; give this rule to the proxy instead"
            )

    def parsed(self) -> Rule:
        """The rule as a value."""
        try:
            return parse_rule(self.rule)
        except NotationError as error:
            raise ToxicError(f"the fin toxic's rule: {error}") from error


Attributes: TypeAlias = (
    Noop | Latency | Bandwidth | SlowClose | Timeout | ResetPeer | Slicer | LimitData | Fin
)

KINDS: dict[str, type[Attributes]] = {
    "latency": Latency,
    "bandwidth": Bandwidth,
    "slow_close": SlowClose,
    "timeout": Timeout,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "limit_data": LimitData,
    "noop": Noop,
    "fin": Fin,
}
"""The class of each kind's attributes, by the name of the type as clients send it."""

_TYPES = {kind: name for name, kind in KINDS.items()}
_LEGS = {"upstream": Leg.CLIENT, "downstream": Leg.SERVER}


@dataclass(frozen=True, slots=True)
class Toxic:
    """One toxic of a proxy."""

    name: str
    """Unique among the toxics of a proxy."""
    stream: str
    """``upstream`` is the client's bytes, ``downstream`` the server's; in any case, kept as it was given."""
    attributes: Attributes
    toxicity: float = 1.0
    """The share of sessions that it is done to; drawn once a session, direction and name."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ToxicError(f"expected a name for the toxic, found {self.name!r}")
        if not isinstance(self.stream, str) or self.stream.lower() not in _LEGS:
            raise ToxicError(
                f"toxic '{self.name}': expected the stream 'upstream' or 'downstream', found {self.stream!r}"
                f"{did_you_mean(str(self.stream), _LEGS)}"
            )
        if type(self.attributes) not in _TYPES:
            raise ToxicError(
                f"toxic '{self.name}': expected attributes such as Latency(latency=100), "
                f"found {self.attributes!r}"
            )
        self._check_toxicity()

    def _check_toxicity(self) -> None:
        number = isinstance(self.toxicity, int | float) and not isinstance(self.toxicity, bool)
        if not number or not math.isfinite(self.toxicity):
            raise ToxicError(
                f"toxic '{self.name}': expected a number such as 0.5 as toxicity, found {self.toxicity!r}"
            )

    @property
    def type(self) -> str:
        """Toxiproxy's name of its kind."""
        return _TYPES[type(self.attributes)]

    @property
    def leg(self) -> Leg:
        """The leg that the bytes come from which it is done to."""
        return _LEGS[self.stream.lower()]

    def as_dict(self) -> dict[str, Any]:
        """The toxic as Toxiproxy's clients know it, in the order in which its server writes it."""
        whole = float(self.toxicity).is_integer()
        return {
            "attributes": _named(self.attributes),
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": int(self.toxicity) if whole else self.toxicity,
        }


def _named(attributes: Any) -> dict[str, Any]:
    return {field.name: getattr(attributes, field.name) for field in fields(attributes)}


def checked(toxics: Iterable[Toxic]) -> tuple[Toxic, ...]:
    """The toxics of one proxy, each of a name of its own.

    Raises:
        ToxicError: two have the same name.
    """
    given = tuple(toxics)
    seen: set[str] = set()
    for toxic in given:
        if toxic.name in seen:
            raise ToxicError(f"expected another name for each toxic of a proxy, found '{toxic.name}' twice")
        seen.add(toxic.name)
    return given
