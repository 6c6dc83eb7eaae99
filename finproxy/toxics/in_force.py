"""Which toxics are in force in one session, and those of them that are rules by another name.

The first number that chance has for a toxic says whether it is in force, the others are for what it does.
They depend on nothing but seed, session, stream and name, so an update does not draw anew: raising the
toxicity only adds sessions, and lowering it only takes some away. This module must not know where chance
comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..chance import Chance
from ..rulebook import InPlay, settle
from ..rules import Delay, Fin, Reset, Rule
from . import values
from .values import Toxic


@dataclass(frozen=True, slots=True)
class InForce:
    """A toxic that the draw has put in force in a session."""

    toxic: Toxic
    chance: Chance


def draw(toxics: Iterable[Toxic], chance_of: Callable[[Toxic], Chance]) -> list[InForce]:
    """The toxics that are in force in a session, in order."""
    drawn = [(toxic, chance_of(toxic)) for toxic in toxics]
    return [InForce(toxic, chance) for toxic, chance in drawn if chance() < toxic.toxicity]


def rules_in_play(in_force: Iterable[InForce]) -> list[InPlay]:
    """What `slow_close` and `fin` add to the session's rules."""
    return [
        in_play for each in in_force for in_play in settle(_rules(each.toxic), each.chance, each.toxic.name)
    ]


def _rules(toxic: Toxic) -> list[Rule]:
    match toxic.attributes:
        case values.SlowClose(delay=delay):
            later = Delay(max(0, delay) / 1000)
            return [Rule(toxic.leg, Fin(), later), Rule(toxic.leg, Reset(), later)]
        case values.Fin() as fin:
            return [fin.parsed()]
    return []
