"""Ports for programs that cannot choose one themselves: free, and given to nobody else meanwhile.

They lie below the range from which systems take the ports of outgoing connections, and a UDP socket of the
same number is the token by which test processes that run side by side keep off each other's. This module
must not know programs.
"""

import os
import socket
from collections.abc import Iterator

from harness.errors import HarnessError

_FIRST, _COUNT = 20_000, 12_000
_STEP = 7919
"""A prime: processes with neighbouring ids begin far from each other."""


class ReservedPort:
    """A TCP port of the loopback interface, reserved until `close`."""

    def __init__(self) -> None:
        self.number, self._token = _reserve()

    def close(self) -> None:
        """Let others have it."""
        self._token.close()


def _reserve() -> tuple[int, socket.socket]:
    for port in _candidates():
        token = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            token.bind(("127.0.0.1", port))
            if _is_free(port):
                return port, token
        except OSError:
            pass  # somebody has it: the next one, then
        token.close()
    raise HarnessError(
        f"expected a free port from {_FIRST} to {_FIRST + _COUNT - 1}, found none; "
        "end programs that listen there"
    )


def _candidates() -> Iterator[int]:
    start = os.getpid() * _STEP
    return (_FIRST + (start + index) % _COUNT for index in range(_COUNT))


def _is_free(port: int) -> bool:
    """Whether a program could listen there, even one that does not set SO_REUSEADDR."""
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
