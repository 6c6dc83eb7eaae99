"""The commands that steer a running finproxy, as a user types them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..support.programs import free_port
from ..support.served import COMMAND, Served, connect, run, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture
def served(server: Served) -> Iterator[Served]:
    yield server
    server.delete_all()


@pytest.fixture
def upstream() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


def test_a_session_is_listed_held_released_and_killed(served: Served, upstream: socket.socket) -> None:
    listen = served.says("create", "web", "0", f"127.0.0.1:{upstream.getsockname()[1]}")
    with connect(listen) as client, upstream.accept()[0] as server:
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        (session,) = served.json("sessions", "web")["sessions"]
        assert session["legs"]["client"]["bytes"] == 1
        assert "web" in served.says("ls")
        assert "open, 1 B" in served.says("sessions")

        said = served.says("hold", "web", "1", "client.fin")
        assert said == "session 1 of web: the client's FIN will be held when it comes\n"
        assert "open, 1 B, hold when its FIN comes" in served.says("sessions")
        client.shutdown(socket.SHUT_WR)
        wait_until_held(served)
        assert ", held " in served.says("sessions")
        assert "the client's FIN is held, until" in served.says("hold", "web", "1", "client.fin")
        assert "session 1 of web: the client's FIN was let go after " in served.says("release", "web", "1")
        server.settimeout(30)
        assert server.recv(1) == b""

        served.says("kill", "web", "1", "--reset")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_release_before_the_end_has_come_calls_the_hold_off(
    served: Served, upstream: socket.socket
) -> None:
    listen = served.says("create", "web", "0", f"127.0.0.1:{upstream.getsockname()[1]}")
    with connect(listen) as client, upstream.accept()[0] as server:
        served.says("hold", "web", "1", "client.fin")
        assert "nothing of web is held; 'finproxy release web SESSION'" in served.says("release", "web")
        said = served.says("release", "web", "1")
        assert said == "session 1 of web: 'hold' of the client's FIN is called off; nothing was held\n"
        assert "when its FIN comes" not in served.says("sessions", "web")
        again = served.run("release", "web", "1")
        assert (again.returncode, "'finproxy sessions web' lists" in again.stderr) == (2, True)

        client.shutdown(socket.SHUT_WR)
        server.settimeout(30)
        assert server.recv(1) == b""


def test_everything_that_is_held_is_released(served: Served, upstream: socket.socket) -> None:
    to = f"127.0.0.1:{upstream.getsockname()[1]}"
    listen = served.says("create", "web", "0", to, "--rule", "client.fin -> hold")
    with connect(listen) as client, upstream.accept()[0]:
        client.shutdown(socket.SHUT_WR)
        wait_until_held(served)
        assert served.says("release", "web") == "released 1 held end\n"


def wait_until_held(served: Served) -> None:
    """Follow the records until an end is held."""
    with following(served, "--event", "fin.held") as follower:
        assert next_event(follower) == "fin.held"


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-t", "latency", "-a", "lat=3"],
            "expected latency, jitter of a latency toxic, found 'lat'; did you",
        ),
        (["-t", "latncy"], "limit_data, noop, fin, found 'latncy'; did you mean 'latency'?"),
        (
            ["-t", "latency", "-a", "latency=3s"],
            "expected a whole number of 64 bits as 'latency', found '3s'",
        ),
        (["-t", "fin"], "expected the attribute 'rule' of a fin toxic"),
    ],
)
def test_a_toxic_that_cannot_be_meant_is_refused_as_in_a_file(
    served: Served, arguments: list[str], message: str
) -> None:
    served.says("create", "web", "0", "9")
    done = served.run("toxic", "add", "web", *arguments)

    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert served.json("toxic", "ls", "web") == []


def test_a_misspelt_attribute_changes_no_toxic(served: Served) -> None:
    served.says("create", "web", "0", "9")
    served.says("toxic", "add", "web", "-t", "latency", "-a", "latency=9", "-n", "slow")
    done = served.run("toxic", "update", "web", "slow", "-a", "jiter=3", "-a", "latency=1")

    assert (done.returncode, "found 'jiter'; did you mean 'jitter'?" in done.stderr) == (2, True), done.stderr
    assert served.json("toxic", "ls", "web")[0]["attributes"] == {"latency": 9, "jitter": 0}


@contextmanager
def following(served: Served, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A ``finproxy tail`` in a process of its own: only a signal ends it."""
    command = [*COMMAND, "tail", "web", "--all", "--json", "--url", served.url, *options]
    follower = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield follower
    finally:
        follower.kill()
        follower.communicate()


def next_event(follower: subprocess.Popen[str]) -> str:
    assert follower.stdout is not None
    event: str = json.loads(follower.stdout.readline())["event"]
    return event


def test_records_are_followed_also_when_finproxy_is_started_anew() -> None:
    with free_port() as port, serving(port=port) as served:
        served.says("create", "web", "0", "9")
        with following(served, "--event", "proxy") as follower:
            assert next_event(follower) == "proxy.listening"
            served.stop()
            assert next_event(follower) == "proxy.stopping"
            with serving(port=port) as again:
                again.says("create", "web", "0", "9")
                assert next_event(follower) == "records.missed"
                assert next_event(follower) == "proxy.listening"
                follower.send_signal(signal.SIGINT)
                assert follower.wait(30) == 0


def test_an_act_is_done_to_the_leg_that_is_named(served: Served, upstream: socket.socket) -> None:
    listen = served.says("create", "web", "0", f"127.0.0.1:{upstream.getsockname()[1]}")
    with connect(listen) as client, upstream.accept()[0] as server:
        server.settimeout(30)
        served.says("act", "web", "1", "client.fin", "fin")
        assert server.recv(1) == b""
        server.sendall(b"the other way is open")
        assert client.recv(100) == b"the other way is open"
        served.says("act", "web", "1", "server", "reset")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_deleting_ends_sessions_and_refuses_later_clients(served: Served, upstream: socket.socket) -> None:
    listen = served.says("create", "web", "0", f"127.0.0.1:{upstream.getsockname()[1]}")
    with connect(listen) as client, upstream.accept()[0]:
        assert served.says("delete", "web") == ""
        assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(listen)
    assert served.json("ls")["proxies"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["rule", "ls", "none"], 2, "there is no proxy 'none'"),
        (
            ["kill", "none", "1"],
            2,
            "there is no proxy 'none'; there are: none; name one of those that 'finpro",
        ),
        (
            ["hold", "web", "abc", "client.fin"],
            2,
            "expected the number of a session, such as 12, found 'abc'",
        ),
        (["release", "web", "0"], 2, "expected the number of a session, such as 12, found '0'"),
        (["tail", "--session", "x"], 2, "expected the number of a session, such as 12, found 'x'"),
        (["tail", "none"], 2, "there is no proxy 'none'"),
        (["tail", "--event", "fin.hold"], 2, "found 'fin.hold'; did you mean 'fin.held'?"),
        (["tail", "--event", "finn"], 2, "found 'finn'; did you mean 'fin'?"),
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


def test_what_a_proxy_does_not_have_is_said_with_the_command_that_helps(served: Served) -> None:
    served.says("create", "web", "0", "9")
    session = served.run("hold", "web", "12", "client.fin")
    rule = served.run("rule", "rm", "web", "client.fin -> drop")
    wire = served.run("rule", "add", "web", "client.fin -> hold at wire")

    assert "there is no session 12 of web; 'finproxy sessions web'" in session.stderr
    assert "there is no rule 'client.fin -> drop' of web; 'finproxy rule ls web'" in rule.stderr
    assert "prepared before clients connect; open a proxy with it instead: finproxy create" in wire.stderr
    assert [done.returncode for done in (session, rule, wire)] == [2, 2, 1]


def test_where_nobody_answers_the_command_says_what_to_do() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        done = run("ls", "--url", f"http://127.0.0.1:{closed.getsockname()[1]}")

    assert done.returncode == 1
    assert "finproxy serve" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_url_that_is_none_exits_2() -> None:
    assert run("ls", "--url", "ftp://x").returncode == 2


def test_a_file_of_toxiproxy_is_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "toxiproxy.json"
    file.write_text('[{"name":"web","listen":"127.0.0.1:0","upstream":"127.0.0.1:9","enabled":false}]')
    with serving("--config", str(file)) as served:
        assert [(p["name"], p["enabled"]) for p in served.json("ls")["proxies"]] == [("web", False)]
        assert served.stop() == 0


def test_a_file_says_where_the_api_is_and_for_whom_and_what_toxics_there_are(tmp_path: Path) -> None:
    token, file = tmp_path / "token", tmp_path / "finproxy.toml"
    token.write_text("a token that is long enough".replace(" ", "-"))
    file.write_text(
        f'[api]\nlisten = "127.0.0.1:0"\ntoken_file = "{token}"\n'
        '[proxy.web]\nlisten = "0"\nupstream = "9"\n'
        '[[proxy.web.toxics]]\ntype = "latency"\nattributes = { latency = 9 }\n'
    )
    with serving("--config", str(file), port=None) as served:
        (toxic,) = served.json("toxic", "ls", "web", "--token-file", str(token))
        assert (toxic["name"], toxic["attributes"]) == ("latency_downstream", {"latency": 9, "jitter": 0})
        refused = served.run("toxic", "ls", "web")
        said = (
            "asks for its token, found no token; name the file that contains it with --token-file or FINPROXY"
        )
        assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr


def test_a_file_of_toxiproxy_that_cannot_be_meant_exits_2(tmp_path: Path) -> None:
    file = tmp_path / "toxiproxy.json"
    file.write_text('[{"name":"web"}]')
    done = run("serve", "--config", str(file))

    assert done.returncode == 2
    assert "missing required field: upstream at proxy 1" in done.stderr
