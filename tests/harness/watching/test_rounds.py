"""Rounds with a source elsewhere: what is not here is not closed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from harness.rows import Endpoint, Snapshot, SocketRow
from harness.sources.choice import Sources
from harness.states import TcpState as S
from harness.transitions import FarEvent, Observed, Transition
from harness.watching.rounds import Rounds

ENDPOINT = Endpoint.of((("10.0.0.1", 4000), ("10.0.0.2", 80)))


class Far:
    """An agent whose word comes in when the table here is looked at."""

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


class Table:
    """Nothing is here; meanwhile, the agent reports."""

    name, sees, blind_to, misses_rows = "pretended", "nothing", "everything", False

    def __init__(self, far: Far) -> None:
        self._far = far

    def look(self, endpoints: Iterable[Endpoint]) -> Snapshot:
        seen = Observed("sock_diag")
        self._far.news.append(Transition(ENDPOINT, None, S.ESTABLISHED, 1.0, -math.inf, seen))
        return Snapshot(self.name, 2.0, 3.0, dict.fromkeys(endpoints))

    def rows(self, ports: frozenset[int] = frozenset(), *, time_wait: bool = True) -> list[SocketRow]:  # noqa: ARG002
        return []

    def close(self) -> None:
        pass


def test_what_is_reported_from_elsewhere_during_a_look_is_not_closed_for_not_being_here() -> None:
    far = Far()
    rounds = Rounds(Sources(Table(far), None, ()), far=[far])
    rounds.follow([ENDPOINT])
    rounds.do([ENDPOINT])

    assert rounds.histories[ENDPOINT].state is S.ESTABLISHED
