"""The exceptions users of the harness meet. What a peer did is data; only misuse and failed checks raise.

This module imports nothing of the harness, so that every other module may import it. Every message says
what was expected, what was found and what to do.
"""


class HarnessError(Exception):
    """Base of all errors that the harness raises on purpose."""


class UsageError(HarnessError, ValueError):
    """The caller handed over something that cannot be meant: an unknown state, a broken ladder text."""


class SourceUnavailableError(HarnessError):
    """A source of socket rows cannot work here (permission, kernel, namespace); the message says why."""


class CheckFailedError(HarnessError, AssertionError):
    """Base of failed checks. An AssertionError, so that test frameworks report a failure and not an error."""


class LadderMismatch(CheckFailedError):  # noqa: N818 - part of the interface
    """An endpoint did not climb down the expected ladder; the message draws expected beside observed."""


class StateNotReachedError(CheckFailedError):
    """A state waited for did not come in time, or can no longer come; the message draws the ladder so far."""


class NotSettledError(CheckFailedError):
    """Endpoints were still changing state when the time allowed for settling was over."""
