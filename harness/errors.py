"""The exceptions users of the harness meet. What a peer did is data; only misuse and failed checks raise."""


class HarnessError(Exception):
    """Base of all errors that the harness raises on purpose."""
