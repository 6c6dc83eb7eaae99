"""What comes out of a scenario: two judgements, and the evidence for them.

This module must not know how a scenario is played.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.errors import CheckFailedError
from harness.scenarios.verdicts import Judgement, Verdict, worst
from harness.verdict import CloseVerdict


class ScenarioFailedError(CheckFailedError):
    """A subject did not do in a scenario what it has to; shows what was seen instead."""


@dataclass(frozen=True, slots=True)
class EndSeen:
    """One watched end: what was expected of it beside the states that it took."""

    name: str
    expected: str
    """A ladder in the notation of harness.ladders, a sentence, or "-"."""
    observed: tuple[str, ...]
    """TCP states in order, as RFC 9293 spells them."""
    mismatch: str = ""
    """The findings where a ladder was expected and another one was taken; else empty."""


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """One session of the proxy, or one connection of a relay."""

    title: str
    rules: tuple[str, ...]
    records: tuple[Mapping[str, Any], ...]
    """The journal; empty where no proxy was between the ends."""
    ends: tuple[EndSeen, ...]
    text: str
    """The ladder diagram as text."""
    svg: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was seen: sentences, sessions, and the last lines that the subject printed."""

    facts: tuple[str, ...] = ()
    sessions: tuple[SessionSeen, ...] = ()
    output: str = ""
    closed: CloseVerdict | None = None
    """How the decisive connection ended and by whom, where a proxy's journal tells."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one subject was found in one scenario."""

    scenario: str
    subject: str
    """Its kind: server, client or relay."""
    parameters: Mapping[str, float]
    behaviour: Judgement
    """Data, answers, exit."""
    close: Judgement
    """How the connection ended: FIN in time or late, RST, not at all; and by whom."""
    evidence: Evidence
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """The worse one of both judgements."""
        return worst(self.behaviour.verdict, self.close.verdict)

    @property
    def reason(self) -> str:
        """Why the verdict is what it is: the reasons of the judgements that have this verdict."""
        told = [each.reason for each in (self.behaviour, self.close) if each.verdict is self.verdict]
        return "; ".join(dict.fromkeys(told))

    def __str__(self) -> str:
        return f"{self.verdict:<14}  {self.scenario:<26}  {self.reason}"

    def require(self, *, strict: bool = False) -> None:
        """Raise unless it did not fail; with `strict`, neither missed a SHOULD.

        Raises:
            ScenarioFailedError: with the judgements, the facts, the drawings and the subject's last lines.

        """
        if self.verdict is Verdict.FAIL or (strict and self.verdict is Verdict.NON_STRICT):
            raise ScenarioFailedError(self.told())

    def told(self) -> str:
        """All of it, for people."""
        lines = [
            f"{self.scenario}: {self.reason}",
            f"  behaviour: {self.behaviour}",
            f"  close: {self.close}",
        ]
        lines += [f"  {name} = {value:g}" for name, value in self.parameters.items()]
        lines += [f"  {fact}" for fact in self.evidence.facts]
        for session in self.evidence.sessions:
            lines += ["", session.text]
        if self.evidence.output:
            lines += ["", "its last lines:", self.evidence.output]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {**asdict(self), "verdict": str(self.verdict), "reason": self.reason}
