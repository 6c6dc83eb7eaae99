"""The same tests with their parties elsewhere: a finproxy, an agent and a server that run already."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.harness.connections import needs_linux
from tests.support.services import Service, running_agent, running_api

from .conftest import Runs

pytestmark = needs_linux

SERVER = """
import signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(listener.getsockname()[1], flush=True)
sock = listener.accept()[0]
sock.sendall(sock.recv(100))
sock.recv(100)
"""

TEN_LINES = """
def test_drains_on_sigterm(launch, fin_proxy):
    app = launch("app", "--port", "{port}")
    proxy = fin_proxy(app, "server.fin -> hold")
    idle = proxy.connect()
    idle.sendall(b"GET")
    assert idle.recv(3) == b"GET"
    app.terminate()
    app.exits(within=10)
    proxy.session.server.check("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2")
    app.assert_no_leaks()
"""


@pytest.fixture
def server() -> Iterator[int]:
    """The port of a server that somebody else has started."""
    command = [sys.executable, "-c", SERVER, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture
def api() -> Iterator[Service]:
    with running_api() as running:
        yield running


def options(api: Service, agent: Service, server: int) -> list[str]:
    return [
        f"--finproxy-url={api.url}",
        f"--finproxy-agent=127.0.0.1={agent.url}",
        f"--finproxy-server=127.0.0.1:{server}",
    ]


def test_the_ten_line_test_moves_without_change(runs: Runs, api: Service, server: int) -> None:
    with running_agent(ports=[server], allow_signals=True) as agent:
        done = runs(TEN_LINES, *options(api, agent, server), alone=True)
    done.assert_outcomes(passed=1)


def test_an_agent_that_may_not_signal_says_how_it_could(runs: Runs, api: Service, server: int) -> None:
    with running_agent(ports=[server]) as agent:
        done = runs(TEN_LINES, *options(api, agent, server), alone=True)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*--allow-signals*"])


def test_a_failure_shows_the_ladder_and_what_is_known_of_the_program(
    runs: Runs, api: Service, server: int
) -> None:
    tests = """
def test_it(launch, fin_proxy):
    proxy = fin_proxy(launch("app"))
    proxy.connect()
    proxy.session.server.check("ESTABLISHED > CLOSE-WAIT", within=0.1)
"""
    with running_agent(ports=[server]) as agent:
        done = runs(tests, *options(api, agent, server), alone=True)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            "*missing rung: expected CLOSE-WAIT after ESTABLISHED*",
            "*client leg*server leg*",
            "*session.opened*",
            f"*the program at 127.0.0.1:{server}, in the place of: app*",
        ]
    )


def test_a_local_proxy_can_have_its_server_elsewhere(runs: Runs, server: int) -> None:
    tests = f"""
def test_it(fin_proxy):
    proxy = fin_proxy("127.0.0.1:{server}")
    with proxy.connect() as client:
        client.sendall(b"GET")
        assert client.recv(3) == b"GET"
    proxy.session.server.check("ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED")
"""
    with running_agent(ports=[server]) as agent:
        runs(tests, f"--finproxy-agent=server={agent.url}", alone=True).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("--finproxy-agent=http://server:8475", "*expected NAME=URL*"),
        ("--finproxy-agent=server=ftp://server", "*expected an address such as*"),
        ("--finproxy-server=server", "*expected ?PROGRAM=?HOST:PORT*"),
        ("--finproxy-token-file=/nowhere", "*the token file /nowhere cannot be read*"),
    ],
)
def test_an_option_that_cannot_be_meant_is_explained(runs: Runs, given: str, complaint: str) -> None:
    done = runs("def test_it(fin_proxy): pass", given)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([complaint])


def test_nothing_is_launched_beside_a_finproxy_elsewhere(runs: Runs, api: Service) -> None:
    done = runs("def test_it(launch): launch('app')", f"--finproxy-url={api.url}", alone=True)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*expected a server in the place of 'app'*--finproxy-server*"])


@pytest.mark.parametrize("fixture", ["shutdown_contract", "fin_scenario"])
def test_what_starts_its_subject_itself_cannot_be_elsewhere(
    runs: Runs, api: Service, server: int, fixture: str
) -> None:
    mark = '@pytest.mark.fin_scenario("half-close-request")\n' if fixture == "fin_scenario" else ""
    with running_agent(ports=[server]) as agent:
        done = runs(
            f"{mark}def test_it(launch, {fixture}): {fixture}(launch('app'))", *options(api, agent, server)
        )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines([f"*{fixture}: expected to start its subject itself*"])
