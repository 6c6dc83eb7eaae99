"""The rules as one session sees them: which are in play, and which matches first.

Chance is settled here, once a session and rule, from numbers that the shell draws: the order in which
things happen later cannot change what a seed means. This module must not know what actions do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .legs import LEGS, Leg
from .rules import Action, After, Bytes, Connect, Delay, Fin, Idle, Overtake, Rule, Trigger, Truncate


@dataclass(frozen=True, slots=True)
class InPlay:
    """A rule that counts in this session, with its jitter settled for each leg, in seconds."""

    rule: Rule
    requested: bool = False
    """It stands for somebody's request, not for a rule that could be named."""
    jitter: tuple[float, float] = (0.0, 0.0)
    toxic: str = ""
    """The name of the toxic that it is, where it is one."""

    @property
    def name(self) -> str:
        """The rule in the notation, the toxic's name, or ``request``."""
        return "request" if self.requested else self.toxic or str(self.rule)

    def extra_delay(self, leg: Leg) -> float:
        """Seconds to add to the delay of an ending that came from `leg`."""
        return self.jitter[leg is Leg.SERVER]


def requested(action: Action) -> InPlay:
    """An action that somebody asked for, as if a rule had said so."""
    return InPlay(Rule(None, Fin(), action, at_wire=isinstance(action, Overtake)), requested=True)


def of_toxic(action: Action, name: str) -> InPlay:
    """What a toxic does to the session at some moment, as if a rule had said so."""
    return InPlay(Rule(None, Connect(), action), toxic=name)


class RuleBook:
    """The rules in play in one session, in the order in which they were given."""

    __slots__ = ("_in_play", "_keep_back", "_moments")

    def __init__(self, in_play: Iterable[InPlay] = ()) -> None:
        self._in_play = tuple(in_play)
        # Once, not in each session: most have this very book in common.
        self._moments = {leg: _moments(self._concerning(leg)) for leg in LEGS}
        self._keep_back = {leg: _keep_back(self._concerning(leg)) for leg in LEGS}

    @classmethod
    def draw(cls, rules: Sequence[Rule], chance: Callable[[], float]) -> RuleBook:
        """Settle chance: `chance` gives numbers in [0, 1), always as many for the same rules."""
        return cls(settle(rules, chance))

    def behind(self, first: Iterable[InPlay]) -> RuleBook:
        """The same rules, behind others that come first."""
        first = tuple(first)
        return RuleBook(first + self._in_play) if first else self

    def __contains__(self, in_play: InPlay) -> bool:
        return in_play in self._in_play

    def same_toxic(self, earlier: InPlay) -> InPlay | None:
        """What has become of the rule of a toxic; None where the toxic is gone."""
        for candidate in self._in_play:
            if candidate.toxic == earlier.toxic and candidate.rule.trigger == earlier.rule.trigger:
                return candidate
        return None

    def choose(self, leg: Leg, trigger: Trigger) -> InPlay | None:
        """The first rule in play that this act of `leg`'s endpoint triggers."""
        for candidate in self._in_play:
            if candidate.rule.trigger == trigger and candidate.rule.concerns(leg):
                return candidate
        return None

    def moments(self, leg: Leg) -> list[Bytes | After | Idle]:
        """What has to be watched for on `leg`, each moment once."""
        return self._moments[leg]

    def keep_back(self, leg: Leg) -> int:
        """How many bytes from `leg` must be kept back so that each rule in play can truncate."""
        return self._keep_back[leg]

    def _concerning(self, leg: Leg) -> list[Rule]:
        return [candidate.rule for candidate in self._in_play if candidate.rule.concerns(leg)]


def _moments(concerning: list[Rule]) -> list[Bytes | After | Idle]:
    triggers = dict.fromkeys(rule.trigger for rule in concerning)
    return [trigger for trigger in triggers if isinstance(trigger, Bytes | After | Idle)]


def _keep_back(concerning: list[Rule]) -> int:
    return max((rule.action.count for rule in concerning if isinstance(rule.action, Truncate)), default=0)


def settle(rules: Iterable[Rule], chance: Callable[[], float], toxic: str = "") -> list[InPlay]:
    """The rules that chance puts in play; `toxic` is the name of the toxic that they are, if they are one."""
    drawn = [(rule, chance(), (chance(), chance())) for rule in rules]
    return [
        InPlay(rule, jitter=_jitter(rule, pair), toxic=toxic)
        for rule, luck, pair in drawn
        if luck < rule.probability
    ]


def _jitter(rule: Rule, numbers: tuple[float, float]) -> tuple[float, float]:
    jitter = rule.action.jitter if isinstance(rule.action, Delay) else 0.0
    client, server = ((2 * number - 1) * jitter for number in numbers)
    return client, server
