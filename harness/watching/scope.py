"""Which connections a watch follows without being told their addresses: those of some ports, or all.

A value. This module must not know where connections are seen.
"""

from collections.abc import Callable
from dataclasses import dataclass

from harness.rows import Endpoint


def _any(_endpoint: Endpoint) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Scope:
    """Connections with one of `ports` on either end, or, with `everything`, all that `is_wanted` lets pass.

    An empty scope follows nothing but what is named.
    """

    ports: frozenset[int] = frozenset()
    everything: bool = False
    is_wanted: Callable[[Endpoint], bool] = _any

    def covers(self, endpoint: Endpoint) -> bool:
        """Whether a connection with these addresses is followed as it appears."""
        of_port = endpoint.local.port in self.ports or endpoint.remote.port in self.ports
        return (self.everything or of_port) and self.is_wanted(endpoint)

    def __bool__(self) -> bool:
        return self.everything or bool(self.ports)
