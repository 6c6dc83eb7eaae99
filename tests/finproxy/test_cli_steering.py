"""The commands that steer a running finproxy, as a user types them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "finproxy"]


class Served:
    """A ``finproxy serve`` and the commands that talk to it."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", *options], stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        said = ""
        while "API: " not in said:
            line = self.process.stderr.readline()
            assert line, f"it has ended and said: {said}"
            said += line
        self.url = said.partition("API: ")[2].split()[0]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments, "--url", self.url], capture_output=True, text=True, timeout=60, check=False
        )

    def says(self, *arguments: str) -> str:
        """What a command prints; it must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.says(*arguments, "--json"))


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.process.kill()
    served.process.communicate()


@pytest.fixture
def upstream() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


def connect(listen: str) -> socket.socket:
    host, _, port = listen.strip().rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def test_a_session_is_listed_held_released_and_killed(served: Served, upstream: socket.socket) -> None:
    listen = served.says("create", "web", "0", f"127.0.0.1:{upstream.getsockname()[1]}")
    with connect(listen) as client, upstream.accept()[0] as server:
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        (session,) = served.json("sessions", "web")["sessions"]
        assert session["legs"]["client"]["bytes"] == 1
        assert "web" in served.says("ls")
        assert "open, 1 B" in served.says("sessions")

        served.says("hold", "web", "1", "client.fin")
        client.shutdown(socket.SHUT_WR)
        served.says("release", "web", "1")
        server.settimeout(30)
        assert server.recv(1) == b""

        served.says("kill", "web", "1", "--reset")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_rules_are_added_listed_and_removed(served: Served) -> None:
    served.says("create", "web", "0", "9", "--rule", "server.fin -> hold")
    added = served.says("rule", "add", "web", "client.fin -> delay 1s", "--first")
    assert added == "client.fin -> delay 1s\nserver.fin -> hold\n"
    assert served.says("rule", "rm", "web", "client.fin -> delay 1s") == "server.fin -> hold\n"
    assert served.says("rule", "ls", "web") == "server.fin -> hold\n"


def test_toxics_are_added_changed_listed_and_removed(served: Served) -> None:
    served.says("create", "web", "0", "9")
    assert (
        served.says("toxic", "add", "web", "-t", "latency", "-a", "latency=9", "-u") == "latency_upstream\n"
    )
    served.says("toxic", "update", "web", "latency_upstream", "-a", "jitter=2", "--toxicity", "0.5")
    (toxic,) = served.json("toxic", "ls", "web")
    assert toxic["attributes"] == {"latency": 9, "jitter": 2}
    assert toxic["toxicity"] == 0.5
    served.says("toxic", "rm", "web", "latency_upstream")
    assert served.json("toxic", "ls", "web") == []


def test_records_are_followed(served: Served) -> None:
    served.says("create", "web", "0", "9")
    follower = subprocess.Popen(
        [*COMMAND, "tail", "web", "--all", "--json", "--url", served.url], stdout=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["event"] == "proxy.listening"
    follower.send_signal(signal.SIGINT)
    assert follower.wait(30) == 0
    follower.stdout.close()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["rule", "ls", "none"], 2, "there is no proxy 'none'"),
        (["kill", "none", "1"], 2, "there is no proxy 'none'"),
        (["hold", "none", "1", "client.rst"], 2, "expected client.fin or server.fin"),
        (["toxic", "add", "none", "-t", "noop", "-a", "x"], 2, "expected NAME=VALUE"),
        (["create", "web", "0", "80:81:82"], 2, "expected PORT, HOST:PORT or [IPv6]:PORT"),
    ],
)
def test_what_cannot_be_meant_exits_2(served: Served, arguments: list[str], code: int, message: str) -> None:
    done = served.run(*arguments)

    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_where_nobody_answers_the_command_says_what_to_do() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        done = subprocess.run(
            [*COMMAND, "ls", "--url", url], capture_output=True, text=True, timeout=60, check=False
        )

    assert done.returncode == 1
    assert "finproxy serve" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_url_that_is_none_exits_2() -> None:
    done = subprocess.run(
        [*COMMAND, "ls", "--url", "ftp://x"], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2


def test_a_file_of_toxiproxy_is_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "toxiproxy.json"
    file.write_text('[{"name":"web","listen":"127.0.0.1:0","upstream":"127.0.0.1:9","enabled":false}]')
    served = Served("--config", str(file))
    try:
        assert [(p["name"], p["enabled"]) for p in served.json("ls")["proxies"]] == [("web", False)]
    finally:
        served.process.terminate()
        served.process.communicate(timeout=30)
    assert served.process.returncode == 0


def test_a_file_of_toxiproxy_that_cannot_be_meant_exits_2(tmp_path: Path) -> None:
    file = tmp_path / "toxiproxy.json"
    file.write_text('[{"name":"web"}]')
    done = subprocess.run(
        [*COMMAND, "serve", "--config", str(file)], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert "missing required field: upstream at proxy 1" in done.stderr
