"""The exceptions users of the proxy meet: misuse and misconfiguration, never what a peer did.

What peers do (a FIN, a reset, a refused connection) is data: events and records. This module knows
nothing of sockets or rules; every message says what was expected, what was found and what to do.
"""


class FinproxyError(Exception):
    """Base of all errors that finproxy raises on purpose."""

    exit_code = 1
    """What the command line exits with: 1 where the machine refused, 2 where the user was not understood."""


class UsageError(FinproxyError):
    """What was asked for cannot be meant: a bad rule, address, duration or configuration."""

    exit_code = 2
