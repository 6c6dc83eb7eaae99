"""The words in which a subject is judged, and which of two weighs more.

This module must not know any scenario.
"""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a subject was found, in one respect."""

    PASS = "pass"
    NON_STRICT = "non-strict"
    """It works, but a SHOULD is missed."""
    FAIL = "fail"
    INFO = "info"
    """There is no right answer; what it did is reported."""
    NOT_APPLICABLE = "not applicable"
    """The subject cannot be brought into the situation."""
    NOT_OBSERVED = "not observed"
    """The situation could not be made or seen here: no privilege, no tool. Never a pass."""


_BY_WEIGHT = (
    Verdict.NOT_APPLICABLE,
    Verdict.INFO,
    Verdict.PASS,
    Verdict.NOT_OBSERVED,
    Verdict.NON_STRICT,
    Verdict.FAIL,
)


def worst(*verdicts: Verdict) -> Verdict:
    """The one that weighs most. What is only reported does not outweigh a pass."""
    return max(verdicts, key=_BY_WEIGHT.index)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and the reason in a sentence."""

    verdict: Verdict
    reason: str

    def __str__(self) -> str:
        return f"{self.verdict}: {self.reason}"


def passed(reason: str) -> Judgement:
    """It did what is right."""
    return Judgement(Verdict.PASS, reason)


def failed(reason: str) -> Judgement:
    """It did what is wrong."""
    return Judgement(Verdict.FAIL, reason)


def non_strict(reason: str) -> Judgement:
    """It missed a SHOULD."""
    return Judgement(Verdict.NON_STRICT, reason)


def informed(reason: str) -> Judgement:
    """It did this; nobody says that it is right or wrong."""
    return Judgement(Verdict.INFO, reason)


def not_observed(reason: str) -> Judgement:
    """It could not be seen."""
    return Judgement(Verdict.NOT_OBSERVED, reason)


def not_applicable(reason: str) -> Judgement:
    """It cannot be asked of this subject."""
    return Judgement(Verdict.NOT_APPLICABLE, reason)


class NotApplicableError(Exception):
    """The scenario cannot be played with this subject; says why."""


class WrongCloseError(Exception):
    """The end that a play needs did not come, by the subject's fault; says what it did instead."""


class NotObservedError(Exception):
    """The situation could not be made or seen on this machine; says why."""
