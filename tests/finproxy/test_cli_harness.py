"""The commands that look at TCP states: watch, doctor, and run --ladders."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from harness.sources.choice import best_table
from harness.states import TcpState
from tests.harness.connections import needs_linux

pytestmark = needs_linux

COMMAND = (sys.executable, "-m", "finproxy")


def finproxy(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: subprocess.Popen[str], *words: str) -> list[str]:
    """What it prints up to the first line with all of these words."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if all(word in line for word in words):
            return lines
    raise AssertionError(f"expected a line with {words}, found {lines}")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listener on a port that nothing in the table is left of: no TIME-WAIT of an earlier test."""
    with ExitStack() as stack:
        table = stack.enter_context(closing(best_table()))
        while True:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = listener.getsockname()[1]
            if {row.state for row in table.rows(frozenset({port}))} <= {TcpState.LISTEN}:
                break
        yield listener


def test_watch_follows_a_port_until_all_is_closed(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with started("watch", f":{port}", "--until-closed") as process:
        lines_until(process, "waiting for one")
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        with client, server:
            lines_until(process, f"127.0.0.1:{port} >", "ESTABLISHED")
            client.shutdown(socket.SHUT_WR)
            lines_until(process, f"127.0.0.1:{port} >", "CLOSE-WAIT")
        rest = process.communicate(timeout=30)[0]

    assert "TIME-WAIT" in rest
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "expected a port or a process"),
        ([":9000", "--pid", "1"], 2, "expected a port or a process"),
        ([":http"], 2, "expected a port from 1 to 65535, as in :9000, found ':http'"),
        ([":70000"], 2, "expected a port from 1 to 65535"),
        ([":9000", "--source", "crystal-ball"], 1, "expected a source"),
    ],
)
def test_what_watch_cannot_do_is_one_sentence(arguments: list[str], code: int, said: str) -> None:
    done = finproxy("watch", *arguments)

    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_proves_each_source_and_each_technique() -> None:
    done = finproxy("doctor", "--json")

    found = json.loads(done.stdout)
    probes = {probe["name"]: probe for probe in found["probes"]}
    assert {"sock_diag", "procfs", "psutil", "tracepoint", "owners"} <= set(probes)
    assert probes["wire: zero-window"]["ok"]
    assert "kept one FIN out" in probes["wire: zero-window"]["why"]
    assert {"wire: socket-filter", "wire: nfqueue"} <= set(probes)
    assert "net.ipv4.tcp_fin_timeout" in {knob["name"] for knob in found["knobs"]}
    assert done.returncode == 0


def test_run_with_ladders_draws_each_session(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with started("run", "0", str(port), "--ladders", "--journal", "-") as process:
        listening = json.loads(lines_until(process, "proxy.listening")[-1])
        with socket.create_connection(tuple(listening["address"])) as client, listener.accept()[0] as server:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert server.recv(100, socket.MSG_WAITALL) == b"hello"
            server.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
            lines_until(process, "session.closed")
        process.send_signal(signal.SIGTERM)
        drawn = process.communicate(timeout=30)[1]

    assert "session 1" in drawn
    assert "client leg" in drawn
    assert "FIN ─" in drawn
    assert "TIME-WAIT" in drawn
    assert process.returncode == 0


def test_a_technique_that_nobody_knows_is_refused_before_anything_runs() -> None:
    done = finproxy("run", "0", "9", "--wire", "scissors")

    assert done.returncode == 2
    assert "expected one of nfqueue, socket-filter, zero-window, found 'scissors'" in done.stderr


def test_scenarios_are_listed_with_what_is_done_and_seen() -> None:
    done = finproxy("scenarios", "client")

    assert "fin-mid-body  (client, relay)" in done.stdout
    assert "    rules: server.bytes" in done.stdout


def test_a_scenario_is_explained() -> None:
    done = finproxy("scenarios", "--explain", "half-close-request")

    assert "rests on: RFC 9293" in done.stdout
    assert finproxy("scenarios", "--explain", "nonsense").returncode == 2
