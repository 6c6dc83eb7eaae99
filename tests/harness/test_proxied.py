"""A session whose ends live elsewhere: what a test is handed has been seen, however soon it ends it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import pytest

import finproxy
from harness.driving import Teller
from harness.proxied import WatchedProxy
from harness.rows import Endpoint
from harness.states import TcpState as S
from harness.transitions import Observed, Transition
from tests.harness.pretended import PretendedAgent

# RFC 5737: addresses that no machine has, so that no table here shows them.
CLIENT, LISTEN = ("192.0.2.1", 4000), ("192.0.2.2", 9000)
LOCAL, SERVER = ("192.0.2.2", 5000), ("192.0.2.3", 8000)
ENDS = (Endpoint.of((CLIENT, LISTEN)), Endpoint.of((SERVER, LOCAL)))
there: list[Endpoint] = []
"""What the agent would see if it looked."""

OPENED = finproxy.Record(
    "session.opened",
    0.0,
    0.0,
    session=1,
    fields={"client": [*CLIENT], "listen": [*LISTEN], "local": [*LOCAL], "server": [*SERVER]},
)


class LazyAgent(PretendedAgent):
    """Sees what there is when it is asked to, and never of its own accord."""

    def __init__(self, *_about: object) -> None:
        super().__init__()
        self._wakes, self._wakes_not = os.pipe()

    def fileno(self) -> int:
        return self._wakes

    def look(self) -> None:
        seen = Observed("sock_diag")
        self.news += [Transition(end, None, S.ESTABLISHED, 1.0, -math.inf, seen) for end in there]

    def close(self) -> None:
        os.close(self._wakes)
        os.close(self._wakes_not)


class OneSession:
    """A driver whose proxy has one session from the beginning."""

    address, url, seed, rules = LISTEN, "192.0.2.2:9000", 0, ()

    def open(self, _upstream: object, tell: Teller) -> None:
        self._tell = tell

    def begin(self) -> None:
        there[:] = ENDS
        self._tell(OPENED)

    def close(self) -> None:
        self._tell.end(None)

    def hold(self, session: int, leg: str) -> None: ...

    def release(self, session: int, leg: str) -> None: ...

    def release_all(self) -> int:
        return 0

    def act(self, session: int, leg: str, action: str) -> None: ...

    def set_rules(self, rules: Sequence[str]) -> None: ...


def test_agents_have_looked_before_a_test_can_end_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.remote.agent_link.AgentLink", LazyAgent)
    proxy = WatchedProxy(OneSession(), SERVER, agents={"there": "http://192.0.2.3:8475"})
    try:
        assert proxy.session.client.state is S.ESTABLISHED
        assert proxy.session.server.state is S.ESTABLISHED
    finally:
        proxy.close()
