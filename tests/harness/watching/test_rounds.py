"""Rounds with a source elsewhere: what is not here is not closed."""

from __future__ import annotations

import math
from collections.abc import Iterable

from harness.rows import Endpoint, Snapshot
from harness.sources.choice import Sources
from harness.states import TcpState as S
from harness.transitions import Observed, Transition
from harness.watching.rounds import Rounds
from tests.harness.pretended import EmptyTable, PretendedAgent

ENDPOINT = Endpoint.of((("10.0.0.1", 4000), ("10.0.0.2", 80)))


class Table(EmptyTable):
    """Nothing is here; meanwhile, the agent reports."""

    def __init__(self, far: PretendedAgent) -> None:
        self._far = far

    def look(self, endpoints: Iterable[Endpoint]) -> Snapshot:
        seen = Observed("sock_diag")
        self._far.news.append(Transition(ENDPOINT, None, S.ESTABLISHED, 1.0, -math.inf, seen))
        return Snapshot(self.name, 2.0, 3.0, dict.fromkeys(endpoints))


def test_what_is_reported_from_elsewhere_during_a_look_is_not_closed_for_not_being_here() -> None:
    far = PretendedAgent()
    rounds = Rounds(Sources(Table(far), None, ()), far=[far])
    rounds.follow([ENDPOINT])
    rounds.do([ENDPOINT])

    assert rounds.histories[ENDPOINT].state is S.ESTABLISHED
