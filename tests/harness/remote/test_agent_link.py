"""A watch that sees by an agent: followed, lost, found again, and never taken for closed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import harness
from harness.errors import StateNotReachedError
from harness.remote.asking import RefusedError, UnreachableError
from harness.rows import Endpoint
from harness.sources.whereabouts import Whereabouts
from harness.states import TcpState as S
from harness.watching.seen import Seen
from tests.harness.connections import Pair, needs_linux
from tests.harness.pretended import EmptyTable
from tests.support.services import Service, running_agent

pytestmark = needs_linux


@pytest.fixture
def agent(pair: Pair) -> Iterator[Service]:
    # Other tests have thousands of sockets in this namespace, which are no business of these.
    with running_agent(ports=[pair.endpoint.remote.port]) as running:
        yield running


def watch(pair: Pair, agent: Service) -> harness.watch:
    return harness.watch(pair.endpoint, pair.peer, source=EmptyTable(), agents={"there": agent.url})


@contextmanager
def accepted_beside(pair: Pair) -> Iterator[Endpoint]:
    """One more connection from the same port of ours, so that the agent tells of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.bind(("127.0.0.2", pair.endpoint.remote.port))  # it is taken on 127.0.0.1
        client.connect(listener.getsockname())
        with listener.accept()[0]:
            yield Endpoint.of((client.getsockname(), client.getpeername()))


def is_noted(seen: Seen, text: str) -> None:
    """Wait until a note says so."""
    seen.wait_until(lambda: any(text in note for note in seen.notes) or None, within=10)


def test_an_agent_shows_both_ends_until_they_are_closed(pair: Pair, agent: Service) -> None:
    with watch(pair, agent) as seen:
        assert seen.client.state is S.ESTABLISHED
        pair.client.shutdown(socket.SHUT_WR)
        seen.client.wait_for("FIN-WAIT-2", within=5)
        seen.server.wait_for("CLOSE-WAIT", within=5)
        pair.server.close()
        seen.client.wait_for("TIME-WAIT", within=5)
        seen.server.wait_for("CLOSED", within=5)
    seen.client.check("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT")
    seen.server.check("ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED")


def test_a_check_knows_what_has_happened_up_to_now(pair: Pair, agent: Service) -> None:
    with watch(pair, agent) as seen:
        pair.client.shutdown(socket.SHUT_WR)
        # No waiting: the check has the agent look. (The client's own FIN-WAIT-1 may last for 40 ms.)
        seen.server.check("ESTABLISHED > CLOSE-WAIT")


def test_what_happened_before_the_watch_is_known(pair: Pair, agent: Service) -> None:
    with watch(pair, agent) as seen:
        pair.client.shutdown(socket.SHUT_WR)
        seen.client.wait_for("FIN-WAIT-2", within=5)
    with watch(pair, agent) as seen:
        seen.client.check("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2")
        assert seen.client.owner is not None


def test_an_agent_that_is_gone_says_nothing_of_connections(pair: Pair, agent: Service) -> None:
    with watch(pair, agent) as seen:
        pair.client.shutdown(socket.SHUT_WR)
        seen.client.wait_for("FIN-WAIT-2", within=5)
        agent.stop()
        pair.server.close()
        is_noted(seen, "has been gone for")

        assert seen.client.state is S.FIN_WAIT_2
        assert seen.server.state is S.CLOSE_WAIT
        with pytest.raises(StateNotReachedError, match=r"agent there at .* has been gone for"):
            seen.server.wait_for("CLOSED", within=0.1)


def test_a_new_agent_in_the_same_namespace_knows_what_is_left(pair: Pair, agent: Service) -> None:
    with accepted_beside(pair) as other, watch(pair, agent) as seen:
        lives = seen.add(other)[0]
        pair.client.shutdown(socket.SHUT_WR)
        seen.server.wait_for("CLOSE-WAIT", within=5)
        agent.stop()
        is_noted(seen, "has been gone for")
        pair.server.close()
        agent.start()

        seen.server.wait_for("CLOSED", within=10)
        seen.client.wait_for("TIME-WAIT", within=10)
        assert lives.state is S.ESTABLISHED
        assert [step.after for step in lives.transitions] == [S.ESTABLISHED]
        assert any("was started anew" in note for note in seen.notes)
        assert not any("has been gone" in note for note in seen.notes)


def test_a_new_agent_elsewhere_proves_nothing(
    pair: Pair, agent: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watch(pair, agent) as seen:
        pair.client.shutdown(socket.SHUT_WR)
        seen.server.wait_for("CLOSE-WAIT", within=5)
        agent.stop()
        pair.server.close()
        monkeypatch.setattr("harness.agent.agent.whereabouts", lambda: Whereabouts("vm", "", "4026531999"))
        agent.start()
        is_noted(seen, "in another network namespace")

        assert seen.server.state is S.CLOSE_WAIT


def test_an_agent_on_another_host_is_said_to_have_another_clock(
    pair: Pair, agent: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.agent.agent.whereabouts", lambda: Whereabouts("far", "another boot", "1"))

    with watch(pair, agent) as seen:
        assert any("runs on another host; its times were aligned" in note for note in seen.notes)


def test_a_watch_does_not_begin_without_its_agent(pair: Pair, agent: Service) -> None:
    agent.stop()

    refused = pytest.raises(UnreachableError, match=r"expected an answer from .*refused")
    with refused, watch(pair, agent):
        pass


def test_a_watch_does_not_begin_without_the_token(pair: Pair) -> None:
    refused = pytest.raises(RefusedError, match="token")
    with running_agent(ports=[1], token="a token of some length") as agent, refused, watch(pair, agent):
        pass
