"""`finproxy demo` as it is run: every walk, by every technique, with and without privilege."""

from __future__ import annotations

import json
import os
import pty
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.harness.connections import needs_linux

pytestmark = needs_linux

DEMO = (sys.executable, "-m", "finproxy", "demo")
# Its own network namespace: what one test's iptables rules do is nothing to the tests beside it.
ELSEWHERE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"')
# No capability, no known user id: all that is left is what any process may do.
ORDINARY_USER = ("unshare", "--user")
WALKS: tuple[list[str], ...] = (
    [],
    ["--mirror"],
    ["--simultaneous"],
    ["--half-close"],
    ["--half-close", "--mirror"],
)
every_walk = pytest.mark.parametrize("walk", WALKS, ids=lambda walk: " ".join(walk) or "table")


def demo(*options: str, through: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*through, *DEMO, *options], capture_output=True, text=True, timeout=60, check=False
    )


def report(*options: str, through: tuple[str, ...] = ()) -> dict[str, Any]:
    done = demo("--json", *options, through=through)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["ok"] is (done.returncode == 0)
    return found


def assert_all_observed(found: dict[str, Any]) -> None:
    """Each row has both ends as expected, but those that wait out TIME-WAIT."""
    statuses = [row["status"] for row in found["rows"]]
    assert "not observed" not in statuses, found["rows"]
    assert statuses.count("observed") >= 6
    for row in found["rows"]:
        for end in (row["client"], row["server"]):
            if row["status"] == "observed":
                assert end["observed"] == end["expected"]
                assert end["owner"]["pid"] in {found["ends"]["client"]["pid"], found["ends"]["server"]["pid"]}


def cannot(why: str) -> None:
    """Skip, or fail where CI promised everything."""
    if os.environ.get("CI") and os.geteuid() == 0:
        pytest.fail(why)
    pytest.skip(why)


def need(*words: str) -> None:
    """Skip where this cannot be run."""
    if shutil.which(words[0]) is None:
        cannot(f"{words[0]} is not installed")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        cannot(f"not possible here: {' '.join(words)}: {done.stderr.strip()}")


def need_technique(name: str) -> tuple[str, ...]:
    """Return what the demo has to be started through for this technique; skip where it cannot work."""
    if name == "zero-window":
        return ()
    if os.geteuid() != 0:
        cannot(f"{name} needs root")
    if name == "socket-filter":
        return ()
    need("iptables", "--version")
    need(*ELSEWHERE, sys.executable, "-c", "import netfilterqueue")
    return ELSEWHERE


@every_walk
@pytest.mark.parametrize("technique", ["zero-window", "socket-filter", "nfqueue"])
def test_every_row_is_observed_by_every_technique(technique: str, walk: list[str]) -> None:
    through = need_technique(technique)

    found = report(*walk, "--wire", technique, through=through)

    assert_all_observed(found)
    assert found["technique"] == technique


@every_walk
def test_psutil_alone_sees_every_row(walk: list[str]) -> None:
    found = report(*walk, "--source", "psutil")

    assert_all_observed(found)
    assert found["sources"] == ["psutil"]


@every_walk
def test_an_ordinary_user_sees_every_row(walk: list[str]) -> None:
    need(*ORDINARY_USER, "true")

    found = report(*walk, through=ORDINARY_USER)

    assert_all_observed(found)
    assert found["technique"] == "zero-window"
    assert "CAP_NET_ADMIN" in found["why_last_resort"]
    assert "tracepoint" not in found["sources"]


def test_the_table_has_eight_rows_and_the_last_two_are_waited_for_on_request_only() -> None:
    rows = report()["rows"]

    assert [(row["row"], row["client"]["expected"], row["server"]["expected"]) for row in rows] == [
        (0, "ESTABLISHED", "ESTABLISHED"),
        (1, "FIN-WAIT-1", "ESTABLISHED"),
        (2, "FIN-WAIT-1", "CLOSE-WAIT"),
        (3, "FIN-WAIT-2", "CLOSE-WAIT"),
        (4, "FIN-WAIT-2", "LAST-ACK"),
        (5, "TIME-WAIT", "LAST-ACK"),
        (6, "TIME-WAIT", "CLOSED"),
        (7, "CLOSED", "CLOSED"),
        (8, "CLOSED", "CLOSED"),
    ]
    assert [row["status"] for row in rows[7:]] == ["not waited for"] * 2
    assert all("--wait-2msl" in row["reason"] for row in rows[7:])
    assert [row["at"] for row in rows[:7]] == sorted(row["at"] for row in rows[:7])


def test_both_ends_are_processes_of_their_own() -> None:
    ends = report("--row", "1")["ends"]

    assert ends["client"]["pid"] != ends["server"]["pid"]


def test_the_screen_shows_the_rows_the_drawing_and_the_verdict() -> None:
    done = demo("--simultaneous")

    assert done.returncode == 0, done.stderr
    assert "✔ CLOSING     ✔ CLOSING" in done.stdout
    assert "client leg" in done.stdout
    assert "───── FIN ─────" in done.stdout
    assert "every row was observed at both ends; row 6 not waited for" in done.stdout
    # But for what it notes of this machine, of which there is more without privilege.
    assert max(len(line) for line in done.stdout.splitlines() if not line.startswith("note: ")) <= 80


def test_the_bytes_that_held_a_fin_back_are_not_lost_in_silence() -> None:
    losses = report("--wire", "zero-window")["losses"]

    assert [(loss["leg"], loss["bytes"]) for loss in losses] == [("client", 65536), ("server", 65536)]


def test_a_row_is_where_the_walk_stops() -> None:
    rows = report("--row", "4")["rows"]

    assert [row["row"] for row in rows] == [0, 1, 2, 3, 4]
    assert rows[-1]["server"]["observed"] == "LAST-ACK"


def test_on_a_terminal_a_row_is_held_until_enter() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*DEMO, "--row", "1"], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        shown = b""
        while b"Enter or Ctrl-C ends the demo" not in shown:
            shown += os.read(ours, 4096)
        assert process.poll() is None
        os.write(ours, b"\n")
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"look with: ss -tanp" in shown


def test_the_drawing_is_one_well_formed_file(tmp_path: Path) -> None:
    path = tmp_path / "ladder.svg"

    done = demo("--svg", str(path))

    assert done.returncode == 0, done.stderr
    texts = [element.text for element in ET.parse(path).iter() if element.tag.endswith("}text")]
    assert {"client", "client leg", "server leg", "server", "FIN", "ACK", "TIME-WAIT"} <= set(texts)


@pytest.fixture
def impatient_server() -> Iterator[int]:
    """A server that closes as soon as it is told that the client has; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                while peer.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        # A test that was skipped has not connected: the server would wait for ever, and we for it.
        socket.create_connection(listener.getsockname()).close()
        thread.join()


def test_a_real_server_that_goes_on_by_itself_is_said_to_have_gone_on(impatient_server: int) -> None:
    need_technique("socket-filter")

    found = report("--upstream", str(impatient_server), "--wire", "socket-filter")

    assert [row["status"] for row in found["rows"][:7]] == [
        "observed",
        "observed",
        "observed",
        "not observed",
        "observed",
        "observed",
        "observed",
    ]
    assert found["rows"][3]["reason"] == "the server has gone on to LAST-ACK already"
    assert found["ends"]["server"]["pid"] is None
    assert not found["ok"]


def test_a_server_that_refuses_is_one_sentence() -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]

        done = demo("--upstream", f"127.0.0.1:{port}")

    assert done.returncode == 1
    assert f"finproxy: expected 127.0.0.1:{port} to accept a connection, found: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--row", "9"], 2, "--row: expected a row from 0 to 8, found 9"),
        (["--simultaneous", "--mirror"], 2, "leave one out"),
        (["--upstream", "80", "--mirror"], 2, "does not close on demand"),
        (["--upstream", "nonsense"], 2, "expected PORT, HOST:PORT or [IPv6]:PORT, found 'nonsense'"),
        (["--source", "crystal-ball"], 2, "--source: expected one of sock_diag, procfs, psutil, tracepoint"),
        (["--wire", "scissors"], 2, "--wire: expected one of nfqueue, socket-filter, zero-window"),
        (["--svg", "/nowhere/ladder.svg"], 1, "--svg: expected a file that can be written"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(options: list[str], code: int, said: str) -> None:
    done = demo(*options)

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
