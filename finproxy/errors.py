"""The exceptions users of the proxy meet: misuse and misconfiguration, never what a peer did.

What peers do (a FIN, a reset, a refused connection) is data: events and records. This module knows
nothing of sockets or rules; every message says what was expected, what was found and what to do.
"""


class FinproxyError(Exception):
    """Base of all errors that finproxy raises on purpose."""
