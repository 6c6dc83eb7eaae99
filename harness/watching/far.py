"""What a source of transitions in another network namespace offers to a watch: an agent's stream is one.

It is told, not asked: the transitions were worked out over there. This module must not know how they travel.
"""

from collections.abc import Sequence
from typing import Protocol

from harness.transitions import FarEvent


class FarSource(Protocol):
    """Tells the transitions of another namespace. `fileno` becomes readable when there is something to read.

    `notes` are sentences for people: what limits what is seen there, and that it is gone, if so. A source
    that is gone tells nothing any more; it never says that an endpoint is closed for that reason.
    """

    @property
    def notes(self) -> Sequence[str]:
        """What limits this source, now."""
        ...

    def fileno(self) -> int:
        """Return a file descriptor to wait on."""
        ...

    def read(self) -> list[FarEvent]:
        """Return what has come since the last call, oldest first, without blocking."""
        ...

    def look(self) -> None:
        """Have a look taken there; then all that it showed can be read. Returns at once if it is gone."""
        ...

    def close(self) -> None:
        """Give back whatever is held. May be called twice."""
        ...
