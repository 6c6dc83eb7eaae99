"""The verdicts of a contract, and how they are told.

This module must not know how a verdict was reached.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.errors import CheckFailedError


class Outcome(StrEnum):
    """How one item was found."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"


class ContractBrokenError(CheckFailedError):
    """A server does not keep the contract, or keeps an item that it was said to break; holds all verdicts."""


@dataclass(frozen=True, slots=True)
class ItemVerdict:
    """One item: its short name, what it asks for, how it was found, and the evidence."""

    item: str
    asks: str
    outcome: Outcome
    evidence: str

    def __str__(self) -> str:
        return f"{self.outcome:<14}  {self.item:<12}  {self.asks}: {self.evidence}"


@dataclass(frozen=True, slots=True)
class ContractReport:
    """All verdicts on one server, in the order of the contract."""

    subject: str
    verdicts: tuple[ItemVerdict, ...]

    def __getitem__(self, item: str) -> ItemVerdict:
        return next(verdict for verdict in self.verdicts if verdict.item == item)

    def __iter__(self) -> Iterator[ItemVerdict]:
        return iter(self.verdicts)

    @property
    def failed(self) -> tuple[ItemVerdict, ...]:
        """The items that the server breaks."""
        return tuple(verdict for verdict in self.verdicts if verdict.outcome is Outcome.FAIL)

    @property
    def outcomes(self) -> dict[str, str]:
        """Item to outcome."""
        return {verdict.item: str(verdict.outcome) for verdict in self.verdicts}

    def require(self, known: Mapping[str, str] | None = None) -> None:
        """Raise unless exactly the items of `known` fail, which maps them to the reason why they may.

        Raises:
            ContractBrokenError: with all verdicts.

        """
        expected, failed = set(known or {}), {verdict.item for verdict in self.failed}
        wrong = [f"{item} fails" for item in sorted(failed - expected)]
        wrong += [f"{item} was said to fail, and does not" for item in sorted(expected - failed)]
        if wrong:
            raise ContractBrokenError(f"{'; '.join(wrong)}\n{self}")

    def __str__(self) -> str:
        return "\n".join([f"shutdown contract of {self.subject}", *(f"  {verdict}" for verdict in self)])
