"""The scenarios on small subjects: one that does it right and one that does it wrong for each verdict."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console

from harness.background import Background
from harness.contract import RawBytes
from harness.errors import UsageError
from harness.ports import ReservedPort
from harness.program import Program
from harness.scenarios import (
    CATALOGUE,
    ClientSubject,
    Outcome,
    ScenarioFailedError,
    ServerSubject,
    clients,
    list_scenarios,
    run_scenario,
    servers,
)
from harness.scenarios.subjects import Verdict
from tests.harness.connections import needs_linux

pytestmark = needs_linux

ASK = RawBytes(b"ask\n", b"ok\n")
BYE = RawBytes(b"bye\n", b"ok\n")

SLOW = RawBytes(b"slow\n", b"ok\n")

# It answers a slow request once it is stopping, which makes it slow without any clock.
SERVER = """
import os, signal, socket, sys, threading
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
kept, socks, threads, stopping = [], [], [], threading.Event()

def end():
    signal.sigwait([signal.SIGTERM])
    {at_end}
    os._exit(0)

threading.Thread(target=end, daemon=True).start()

def serve(sock):
    data = sock.makefile("rb")
    for line in data:
        {before}
        if line == b"slow\\n":
            stopping.wait()
        sock.sendall(b"ok\\n")
        if line == b"bye\\n":
            break
    {after}

def finish():
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    stopping.set()
    for sock in socks:
        try:
            sock.shutdown(socket.SHUT_RD)  # who is answering goes on, who waits for a request ends
        except OSError:
            pass
    for thread in threads:
        thread.join()

while True:
    try:
        socks.append(listener.accept()[0])
    except OSError:
        signal.pause()
    threads.append(threading.Thread(target=serve, args=socks[-1:], daemon=True))
    threads[-1].start()
"""
GOOD = {
    "before": "pass",
    "after": "data.close(); sock.close()",
    "at_end": "finish()",
}
ENDS_AT_ONCE = {**GOOD, "at_end": "pass"}
ABORTS_ON_FIN = {**GOOD, "before": "if sock.recv(1, socket.MSG_PEEK) == b'': sock.close(); return"}
KEEPS_ITS_FD = {**GOOD, "after": "sock.shutdown(socket.SHUT_WR); kept.append((sock, data))"}

SERVER_SCENARIOS = [scenario.name for scenario in CATALOGUE if scenario.subject == "server"]
CLIENT_SCENARIOS = [scenario.name for scenario in CATALOGUE if scenario.subject == "client"]

CLIENT = """
import http.client, sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
for _ in range(2):
    for attempt in range({attempts}):
        try:
            connection.request("GET", "/")
            print(connection.getresponse().{read}.decode())
            break
        except ({forgives}) as error:
            connection.close()
            if attempt == {attempts} - 1:
                raise
"""
RETRIES = CLIENT.format(attempts=2, read="read()", forgives="http.client.RemoteDisconnected, ConnectionError")
GIVES_UP = CLIENT.format(attempts=1, read="read()", forgives="ValueError")
BELIEVES_ALL = """
import socket, sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
with socket.create_connection((url.hostname, url.port), 10) as sock:
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass
"""


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    thread = Background()
    yield thread
    thread.stop()


def tried(name: str, background: Background, parts: dict[str, str], patience: float = 5.0) -> Outcome:
    code = SERVER.format(**parts)
    with Program(sys.executable, "-c", code, "{port}", grace=0) as program:
        return run_scenario(name, ServerSubject(program, ASK, BYE, SLOW, patience), background)


# Who closes a listener resets its backlog, and whether it was empty then is chance.
@pytest.mark.parametrize("name", [name for name in SERVER_SCENARIOS if name != "backlog-at-sigterm"])
def test_a_good_server_passes(name: str, background: Background) -> None:
    outcome = tried(name, background, GOOD)
    assert outcome.verdict is Verdict.PASS, str(outcome)


def test_a_server_that_drops_who_half_closes_fails(background: Background) -> None:
    outcome = tried("half-close-request", background, ABORTS_ON_FIN)
    assert outcome.verdict is Verdict.FAIL
    assert "no complete answer" in outcome.evidence
    with pytest.raises(ScenarioFailedError, match="half-close-request: no complete answer"):
        outcome.require()


def test_a_server_that_keeps_its_fd_fails(background: Background) -> None:
    outcome = tried("fin-never-comes", background, KEEPS_ITS_FD, patience=0.3)
    assert outcome.verdict is Verdict.FAIL
    assert "still holds it in FIN-WAIT-2" in outcome.evidence
    assert tried("data-after-fin", background, KEEPS_ITS_FD, 0.3).verdict is Verdict.NOT_APPLICABLE


def test_a_server_that_ends_at_once_fails_who_is_being_answered(background: Background) -> None:
    outcome = tried("inflight-at-sigterm", background, ENDS_AT_ONCE)
    assert outcome.verdict is Verdict.FAIL
    assert "no complete answer" in outcome.evidence


def test_a_server_without_a_way_to_close_is_not_tried_for_it(background: Background) -> None:
    with Program(sys.executable, "-c", SERVER.format(**GOOD), "{port}") as program:
        outcome = run_scenario("time-wait-side", ServerSubject(program, ASK), background)
    assert outcome.verdict is Verdict.NOT_APPLICABLE
    assert "give closing=" in outcome.evidence


@pytest.mark.parametrize("name", ["idle-peer-at-sigterm", "request-after-sigterm"])
def test_a_server_with_a_fixed_port_is_not_started_twice(name: str, background: Background) -> None:
    reserved = ReservedPort()
    code = SERVER.format(**GOOD)
    with Program(sys.executable, "-c", code, str(reserved.number), port=reserved.number) as program:
        outcome = run_scenario(name, ServerSubject(program, ASK, BYE, SLOW), background)
    reserved.close()
    assert outcome.verdict is Verdict.NOT_APPLICABLE
    assert "fixed port" in outcome.evidence


@pytest.mark.parametrize("name", CLIENT_SCENARIOS)
def test_a_client_that_retries_passes(name: str, background: Background) -> None:
    outcome = run_scenario(name, ClientSubject((sys.executable, "-c", RETRIES, "{url}")), background)
    assert outcome.verdict is Verdict.PASS, str(outcome)


def test_a_client_that_gives_up_fails_where_the_fin_crosses(background: Background) -> None:
    subject = ClientSubject((sys.executable, "-c", GIVES_UP, "{url}"))
    outcome = run_scenario("fin-crosses-request", subject, background)
    assert outcome.verdict is Verdict.FAIL
    assert "expected two answers, found 1: it exited with 1" in outcome.evidence


@pytest.mark.parametrize("name", ["fin-mid-body", "rst-mid-response", "rst-close-delimited", "sigkill-peer"])
def test_a_client_that_believes_all_fails(name: str, background: Background) -> None:
    outcome = run_scenario(name, ClientSubject((sys.executable, "-c", BELIEVES_ALL, "{url}")), background)
    assert outcome.verdict is Verdict.FAIL
    assert "expected an error, found none" in outcome.evidence


def test_a_client_that_loses_the_body_in_silence_fails(background: Background) -> None:
    subject = ClientSubject((sys.executable, "-c", BELIEVES_ALL, "{url}"))
    outcome = run_scenario("rst-after-full-response", subject, background)
    assert outcome.verdict is Verdict.FAIL


def test_a_client_that_asks_once_is_not_tried_for_reuse(background: Background) -> None:
    once = RETRIES.replace("range(2):\n    for", "range(1):\n    for")
    subject = ClientSubject((sys.executable, "-c", once, "{url}"))
    outcome = run_scenario("fin-right-after-response", subject, background)
    assert outcome.verdict is Verdict.NOT_APPLICABLE


def test_a_scenario_is_for_one_kind_of_subject(background: Background) -> None:
    outcome = run_scenario("half-close-request", ClientSubject(("true",)), background)
    assert (outcome.verdict, outcome.evidence) == (
        Verdict.NOT_APPLICABLE,
        "it tries a server, not a client",
    )


def test_an_unknown_scenario_is_refused_with_the_names_of_all(background: Background) -> None:
    with pytest.raises(UsageError, match=r"expected a scenario \(clean-client-close, .*found 'nonsense'"):
        run_scenario("nonsense", ClientSubject(("true",)), background)


def test_each_scenario_of_the_catalogue_can_be_played() -> None:
    assert set(servers.PLAYS) == set(SERVER_SCENARIOS)
    assert set(clients.PLAYS) == set(CLIENT_SCENARIOS)
    assert len({scenario.name for scenario in CATALOGUE}) == len(CATALOGUE)


def test_the_catalogue_is_listed() -> None:
    out = io.StringIO()
    assert list_scenarios(subject="client", console=Console(file=out, width=240)) == 0
    listed = out.getvalue()
    assert all(name in listed for name in CLIENT_SCENARIOS)
    assert "half-close-request" not in listed
    with pytest.raises(UsageError, match="expected a subject"):
        list_scenarios(subject="relay")
