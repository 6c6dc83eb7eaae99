"""Who is tried, and what comes out.

This module must not know any scenario.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from harness.contract.protocols import Http, Protocol
from harness.errors import CheckFailedError
from harness.program import Program


class ScenarioFailedError(CheckFailedError):
    """A subject did not do in a scenario what it has to; shows what was seen instead."""


class Verdict(StrEnum):
    """How a subject was found in one scenario."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on one subject in one scenario, with the evidence."""

    scenario: str
    verdict: Verdict
    evidence: str

    def __str__(self) -> str:
        return f"{self.verdict:<14}  {self.scenario:<24}  {self.evidence}"

    def require(self) -> None:
        """Raise ScenarioFailedError unless it passed or does not apply."""
        if self.verdict is Verdict.FAIL:
            raise ScenarioFailedError(f"{self.scenario}: {self.evidence}")


@dataclass(frozen=True)
class ServerSubject:
    """A running server, and how to speak to it.

    `closing` is a request that asks it to close afterwards, `slow` one whose answer takes a while.
    """

    program: Program
    protocol: Protocol = field(default_factory=Http)
    closing: Protocol | None = None
    slow: Protocol | None = None
    patience: float = 5.0
    """Seconds that anything may take, its shutdown included."""


@dataclass(frozen=True)
class ClientSubject:
    """A command that asks ``{url}`` by HTTP, prints the bodies, and exits with 0 unless it met an error.

    For scenarios about kept connections it has to ask twice, one after the other, on one connection.
    """

    command: Sequence[str]
    patience: float = 20.0
