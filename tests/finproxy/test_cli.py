from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "finproxy"]


def finproxy(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)


class Running:
    """A ``finproxy run`` with its journal on standard output."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "run", *arguments, "--journal", "-"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.listening = self.next("proxy.listening")

    def next(self, event: str) -> dict[str, Any]:
        """The next record of that name; those before it are passed over."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            record: dict[str, Any] = json.loads(line)
            if record["event"] == event:
                return record
        raise AssertionError(f"the journal ended before {event}")

    def connect(self) -> socket.socket:
        host, port = self.listening["address"]
        return socket.create_connection((host, port), timeout=30)

    def finish(self, *signals: signal.Signals) -> str:
        """Send signals, wait for the end; what was printed for people."""
        for number in signals:
            self.process.send_signal(number)
        _, said = self.process.communicate(timeout=60)
        return said


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    run = Running(*arguments)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.communicate()


@pytest.fixture
def upstream() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


def port_of(server: socket.socket) -> str:
    return str(server.getsockname()[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["9000"], "expected LISTEN and UPSTREAM"),
        (["9000", "80", "--config", "x.toml"], "found both"),
        (["9000", "80", "--rule", "client.fni -> drop"], "column 8: expected a trigger"),
        (["9000", "80", "--rule", "client.fin -> overtake"], "overtake at wire"),
        (["9000", "80:81:82"], "expected PORT, HOST:PORT or [IPv6]:PORT"),
        (["70000", "80"], "expected a port from 0 to 65535, found 70000"),
        (["9000", "0"], "expected a port from 1 to 65535, found 0"),
        (["9000", "80", "--grace", "5"], "--grace: column 1: expected a duration"),
        (["--config", "/nowhere/x.toml"], "/nowhere/x.toml: cannot be read"),
    ],
)
def test_what_cannot_be_meant_exits_2_and_says_what_was_expected(arguments: list[str], message: str) -> None:
    done = finproxy("run", *arguments)

    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_rule_is_shown_with_a_mark_under_the_column() -> None:
    done = finproxy("run", "9000", "80", "--rule", "client.fni -> drop")

    assert "  client.fni -> drop\n         ^\n" in done.stderr
    assert "did you mean 'fin'?" in done.stderr


def test_a_port_in_use_exits_1_with_one_sentence(upstream: socket.socket) -> None:
    done = finproxy("run", port_of(upstream), "80")

    assert done.returncode == 1
    assert "the port is in use" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_address_of_another_machine_exits_1() -> None:
    done = finproxy("run", "192.0.2.1:9000", "80")

    assert done.returncode == 1
    assert "not one of this machine's" in done.stderr


def test_a_privileged_port_without_the_right_is_refused_in_one_sentence() -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 81:
        pytest.skip("this system reserves no ports")
    # The imports come before the rights go: an ordinary user may not be able to read this interpreter.
    script = (
        "import os, encodings.idna; from finproxy.sockets import listen; "
        "os.getuid() or os.setuid(65534); listen(('127.0.0.1', 81))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert "cannot listen on 127.0.0.1:81: this port is reserved; choose one above 1023" in done.stderr


def test_a_journal_that_cannot_be_written_exits_1() -> None:
    done = finproxy("run", "0", "80", "--journal", "/nowhere/run.jsonl")

    assert done.returncode == 1
    assert "cannot write the journal /nowhere/run.jsonl" in done.stderr


def test_more_sessions_than_there_can_be_files_exits_1() -> None:
    done = finproxy("run", "0", "80", "--max-sessions", "999999999")

    assert done.returncode == 1
    assert "raise it (ulimit -Hn)" in done.stderr


def test_the_version_and_the_rules_are_printed() -> None:
    assert finproxy("--version").stdout.startswith("finproxy 0.")
    assert "server.fin -> delay 2s~200ms" in finproxy("rules").stdout


def test_the_journal_begins_with_where_it_listens_and_the_seed(upstream: socket.socket) -> None:
    rule = "server.bytes 1000 -> reset @0.1"
    with running("0", port_of(upstream), "--rule", rule, "--seed", "7") as run:
        assert run.listening["address"][0] == "127.0.0.1"
        assert run.listening["address"][1] > 0
        assert run.listening["upstream"] == f"127.0.0.1:{port_of(upstream)}"
        assert run.listening["rules"] == [rule]
        assert run.listening["seed"] == 7


def test_a_seed_that_was_not_given_is_printed(upstream: socket.socket) -> None:
    with running("0", port_of(upstream)) as run:
        said = run.finish(signal.SIGTERM)

    assert f"seed: {run.listening['seed']}" in said
    assert run.process.returncode == 0


def test_a_session_that_ends_is_a_line_for_people(upstream: socket.socket) -> None:
    with running("0", port_of(upstream), "--rule", "client.fin -> delay 1ms") as run:
        with run.connect() as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            with upstream.accept()[0] as server:
                assert server.recv(100, socket.MSG_WAITALL) == b"hello"
            assert client.recv(1) == b""
        run.next("session.closed")
        said = run.finish(signal.SIGTERM)

    assert "client closed first · client FIN kept" in said
    assert "5 B up, 0 B down" in said
    assert run.process.returncode == 0


def test_sigterm_lets_a_session_finish_and_accepts_no_other(upstream: socket.socket) -> None:
    with running("0", port_of(upstream), "--grace", "30s") as run:
        with run.connect() as client, upstream.accept()[0] as server:
            run.next("session.opened")
            run.process.send_signal(signal.SIGTERM)
            run.next("proxy.stopping")
            with pytest.raises(ConnectionRefusedError):
                run.connect()
            server.sendall(b"late")
            server.shutdown(socket.SHUT_WR)
            assert client.recv(100, socket.MSG_WAITALL) == b"late"
            client.shutdown(socket.SHUT_WR)
        said = run.finish()

    assert run.process.returncode == 0
    assert "1 live session may take up to 30s to finish" in said
    assert "aborted" not in said


def test_sigterm_aborts_what_has_not_finished_when_the_grace_is_over(upstream: socket.socket) -> None:
    with (
        running("0", port_of(upstream), "--grace", "10ms") as run,
        run.connect() as client,
        upstream.accept()[0],
    ):
        run.next("session.opened")
        said = run.finish(signal.SIGTERM)
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    assert run.process.returncode == 0
    assert "aborted 1 session" in said


def test_a_second_signal_is_immediate(upstream: socket.socket) -> None:
    with running("0", port_of(upstream), "--grace", "1h") as run, run.connect(), upstream.accept()[0]:
        run.next("session.opened")
        run.process.send_signal(signal.SIGINT)
        run.next("proxy.stopping")
        said = run.finish(signal.SIGINT)

    assert run.process.returncode == 0
    assert "aborted 1 session" in said


def test_several_proxies_run_from_one_file(upstream: socket.socket, tmp_path: Path) -> None:
    config = tmp_path / "finproxy.toml"
    table = f'[proxy.{{}}]\nlisten = "0"\nupstream = "{port_of(upstream)}"\n'
    config.write_text(table.format("web") + table.format("cache"))

    with running("--config", str(config)) as run:
        assert run.listening["proxy"] == "web"
        assert run.next("proxy.listening")["proxy"] == "cache"
        run.finish(signal.SIGTERM)

    assert run.process.returncode == 0


def test_sigusr1_lets_go_everything_that_is_held(upstream: socket.socket) -> None:
    with (
        running("0", port_of(upstream), "--rule", "client.fin -> hold") as run,
        run.connect() as client,
        upstream.accept()[0] as server,
    ):
        client.shutdown(socket.SHUT_WR)
        run.next("fin.held")
        run.process.send_signal(signal.SIGUSR1)
        assert server.recv(1) == b""
        assert run.next("fin.released")["why"] == "request"
        server.shutdown(socket.SHUT_WR)
        said = run.finish(signal.SIGTERM)

    assert "released 1 held end" in said


def test_help_begins_with_what_a_newcomer_needs() -> None:
    told = finproxy("--help").stdout

    assert told.index("│ run ") < told.index("│ audit ") < told.index("│ rule ")
