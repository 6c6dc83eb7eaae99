"""The agent over HTTP, on real connections of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from harness.remote.asking import Asker, RefusedError
from harness.rows import Endpoint
from tests.harness.connections import Pair, connected, needs_linux
from tests.support.services import Service, running_agent

pytestmark = needs_linux

LISTENS = """
import signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    signal.pause()
"""


@pytest.fixture
def agent(pair: Pair) -> Iterator[Service]:
    # Other tests have thousands of sockets in this namespace, which are no business of these.
    with running_agent(ports=[pair.endpoint.remote.port], allow_signals=True) as running:
        yield running


@pytest.fixture
def ask(agent: Service) -> Asker:
    return Asker(agent.url)


def states_of(ask: Asker, endpoint: Endpoint) -> list[str]:
    """The states that the agent has told of an endpoint, after a fresh look."""
    ask.ask("POST", "/v1/look")
    ends = [list(endpoint.local), list(endpoint.remote)]
    return [
        each["after"]
        for each in ask.get("/v1/endpoints")["events"]
        if each["kind"] == "transition" and [each["local"], each["remote"]] == ends
    ]


def half_close(pair: Pair) -> None:
    pair.client.shutdown(1)


def test_it_tells_what_both_ends_of_a_connection_go_through(ask: Asker, pair: Pair) -> None:
    assert states_of(ask, pair.endpoint) == ["ESTABLISHED"]
    half_close(pair)
    # The ACK of its FIN may take 40 ms.
    assert states_of(ask, pair.endpoint)[:2] == ["ESTABLISHED", "FIN-WAIT-1"]
    assert states_of(ask, pair.peer) == ["ESTABLISHED", "CLOSE-WAIT"]


def test_without_ports_it_tells_of_every_connection(pair: Pair) -> None:
    with running_agent() as agent:
        assert states_of(Asker(agent.url), pair.endpoint) == ["ESTABLISHED"]


def test_what_a_look_has_shown_is_told_before_the_look_is_answered(ask: Asker, pair: Pair) -> None:
    half_close(pair)
    seen = ask.ask("POST", "/v1/look")
    told = ask.get("/v1/endpoints")

    assert seen["run"] == told["agent"]["run"]
    local = list(pair.peer.local)
    told_by_then = [each for each in told["events"] if each["id"] <= seen["last"]]
    assert "CLOSE-WAIT" in {each.get("after") for each in told_by_then if each["local"] == local}


def test_the_stream_goes_on_where_the_board_ended(ask: Asker, pair: Pair) -> None:
    states_of(ask, pair.endpoint)
    board = ask.get("/v1/endpoints")
    with ask.stream(f"/v1/events/stream?after={board['agent']['run']}-{board['last']}") as stream:
        half_close(pair)
        told = next(each.data for each in stream if each.kind == "transition")

    assert told["before"] == "ESTABLISHED"
    assert told["id"] > board["last"]


def test_its_own_connections_are_not_told(agent: Service) -> None:
    agent.stop()
    agent.settings["ports"] = [agent.port]
    agent.start()
    ask = Asker(agent.url)
    ask.ask("POST", "/v1/look")

    assert ask.get("/v1/endpoints")["events"] == []
    assert ask.get(f"/v1/rows?port={agent.port}")["rows"] == []


@pytest.mark.parametrize("end", [0, 1], ids=["local", "remote"])
def test_dockers_resolver_is_not_told(end: int) -> None:
    from harness.agent.agent import Agent

    ends = [("172.18.0.3", 40312), ("172.18.0.4", 8000)]
    assert Agent.is_wanted(_agent_on(8475), Endpoint.of((ends[0], ends[1])))
    ends[end] = ("127.0.0.11", 38231)
    assert not Agent.is_wanted(_agent_on(8475), Endpoint.of((ends[0], ends[1])))


def _agent_on(port: int) -> Any:
    """As much of an agent as deciding needs: a whole one needs a Trio run."""
    return type("AgentOnPort", (), {"port": port})()


def test_it_keeps_to_the_ports_that_it_was_given(ask: Asker, pair: Pair) -> None:
    with connected() as other:
        assert states_of(ask, pair.peer) == ["ESTABLISHED"]
        assert states_of(ask, other.endpoint) == []


def test_rows_can_be_asked_for_by_port(ask: Asker, pair: Pair) -> None:
    port = pair.endpoint.remote.port
    rows = ask.get(f"/v1/rows?port={port}")["rows"]

    assert {row["state"] for row in rows} >= {"ESTABLISHED"}
    assert all(port in (row["local"][1], row["remote"][1]) for row in rows)
    assert {row["owner"]["pid"] for row in rows if "owner" in row} == {os.getpid()}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/endpoints", 405),
        ("GET", "/v1/rows?port=http", 400),
        ("GET", "/v1/rows?port=65536", 400),
        ("GET", "/v1/programs/1", 409),
        ("POST", "/v1/programs/1/signal", 400),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused(ask: Asker, method: str, path: str, status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        ask.ask(method, path)

    assert refused.value.status == status


def test_a_token_is_asked_for() -> None:
    with running_agent(ports=[1], token="a token of some length") as agent:
        assert Asker(agent.url).get("/v1/health") == {"status": "ok"}
        with pytest.raises(RefusedError, match="token"):
            Asker(agent.url).get("/v1/endpoints")
        with pytest.raises(RefusedError, match="token"):
            Asker(agent.url, "another token of this length").get("/v1/endpoints")
        assert Asker(agent.url, "a token of some length").get("/v1/endpoints")["agent"]["run"]


# --- signals --------------------------------------------------------------------------------------


@pytest.fixture
def listening() -> Iterator[tuple[subprocess.Popen[str], int]]:
    with subprocess.Popen([sys.executable, "-c", LISTENS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_a_program_is_signalled_by_its_port(ask: Asker, listening: tuple[subprocess.Popen[str], int]) -> None:
    process, port = listening

    assert ask.get(f"/v1/programs/{port}") == {"pid": process.pid, "alive": True}
    ask.ask("POST", f"/v1/programs/{port}/signal", {"signal": "SIGTERM"})
    assert process.wait(10) == 0
    assert ask.get(f"/v1/processes/{process.pid}") == {"pid": process.pid, "alive": False}


@pytest.mark.parametrize("body", [{"signal": "SIGSEGV"}, {"signal": 15}, {}, [], "TERM"])
def test_only_signals_that_end_a_program_are_sent(
    ask: Asker, listening: tuple[subprocess.Popen[str], int], body: object
) -> None:
    process, port = listening

    with pytest.raises(RefusedError) as refused:
        ask.ask("POST", f"/v1/programs/{port}/signal", body)

    assert refused.value.status == 400
    assert process.poll() is None


def test_no_signal_is_sent_unless_that_was_allowed(listening: tuple[subprocess.Popen[str], int]) -> None:
    process, port = listening

    with running_agent(ports=[1]) as agent, pytest.raises(RefusedError, match="--allow-signals"):
        Asker(agent.url).ask("POST", f"/v1/programs/{port}/signal", {"signal": "SIGKILL"})
    assert process.poll() is None


def test_the_command_says_where_it_is_and_ends_at_sigterm() -> None:
    command = [sys.executable, "-m", "finproxy", "agent", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[-1]
        assert Asker(url).get("/v1/health") == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
