"""Sources that show what a test lets them: a table without rows, and an agent that is told what to say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.rows import Endpoint, Snapshot, SocketRow
from harness.transitions import FarEvent


class EmptyTable:
    """A table source in which nothing is ever found."""

    name, sees, blind_to, misses_rows = "pretended", "nothing", "everything", False

    def look(self, endpoints: Iterable[Endpoint]) -> Snapshot:
        return Snapshot(self.name, 0.0, 0.0, dict.fromkeys(endpoints))

    def rows(
        self,
        ports: frozenset[int] = frozenset(),  # noqa: ARG002 - the protocol has it
        *,
        time_wait: bool = True,  # noqa: ARG002 - the protocol has it
    ) -> list[SocketRow]:
        return []

    def close(self) -> None:
        pass


class PretendedAgent:
    """A source elsewhere, which tells its `news` once."""

    notes: Sequence[str] = ()

    def __init__(self) -> None:
        self.news: list[FarEvent] = []

    def fileno(self) -> int:
        return -1

    def read(self) -> list[FarEvent]:
        news, self.news = self.news, []
        return news

    def look(self) -> None:
        pass

    def close(self) -> None:
        pass
