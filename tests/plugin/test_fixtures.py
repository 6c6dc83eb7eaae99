"""The fixtures `launch` and `fin_proxy`, as a user's tests see them."""

from __future__ import annotations

import pytest

from tests.harness.connections import needs_linux

from .conftest import Runs

pytestmark = needs_linux


def test_a_program_and_a_proxy_in_front_of_it(runs: Runs) -> None:
    done = runs("""
def test_echo(echo, fin_proxy):
    proxy = fin_proxy(echo)
    with proxy.connect() as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(5) == b""
    assert proxy.session.closed()["lost"] == 0
    assert str(proxy.session.judge_data().kind) == "complete"
    proxy.session.client.check("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT")
    proxy.session.server.check("ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED")
    assert str(proxy.session.judge_close().kind) == "clean FIN"
    echo.assert_no_leaks()
""")
    done.assert_outcomes(passed=1)


def test_the_ten_line_test_of_a_shutdown(runs: Runs) -> None:
    done = runs("""
SERVER = '''
import signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
sock = listener.accept()[0]
sock.sendall(sock.recv(100))
sock.recv(100)
'''

def test_drains_on_sigterm(launch, fin_proxy):
    app = launch(sys.executable, "-c", SERVER, "{port}")
    proxy = fin_proxy(app, "client.fin -> hold")
    idle = proxy.connect()
    idle.sendall(b"GET")
    assert idle.recv(3) == b"GET"
    app.terminate()
    assert app.exits(within=5).code == 0
    proxy.session.server.check("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2")
    app.assert_no_leaks()
""")
    done.assert_outcomes(passed=1)


def test_what_is_held_is_released_by_hand_and_rules_can_be_changed(runs: Runs) -> None:
    done = runs("""
def test_hold(echo, fin_proxy):
    proxy = fin_proxy(echo, "client.fin -> hold")
    client = proxy.connect()
    client.shutdown(socket.SHUT_WR)
    proxy.wait_for("fin.held", "client")
    proxy.session.server.check("ESTABLISHED")
    proxy.set_rules("server.fin -> hold")
    assert proxy.rules == ("server.fin -> hold",)
    proxy.release("client")
    proxy.wait_for("fin.held", "server")
    proxy.session.server.check("ESTABLISHED > CLOSE-WAIT > LAST-ACK?")
    assert proxy.release_all() == 1
    assert client.recv(1) == b""
    proxy.session.closed()
    client.close()
""")
    done.assert_outcomes(passed=1)


def test_sessions_are_told_apart_and_ends_can_be_acted_on(runs: Runs) -> None:
    done = runs(
        """
def test_two(echo, fin_proxy):
    proxy = fin_proxy(echo)
    with proxy.connect() as one, proxy.connect() as two:
        assert [s.number for s in proxy.sessions] == [1, 2]
        assert proxy.session_of(one).number == 1
        proxy.act("client", "fin")
        assert two.recv(1) == b""
        proxy.session_of(one).hold("client")
        one.shutdown(socket.SHUT_WR)
        proxy.session_of(one).wait_for("fin.held")
"""
    )
    done.assert_outcomes(passed=1)


def test_a_test_that_ends_with_fins_held_leaves_no_thread_and_no_process(runs: Runs) -> None:
    done = runs("""
import threading, psutil
pids = []

def test_leaves_it_held(echo, fin_proxy):
    pids.append(echo.pid)
    proxy = fin_proxy(echo, "any.fin -> hold")
    client = proxy.connect()
    client.shutdown(socket.SHUT_WR)
    proxy.wait_for("fin.held")
    client.close()

def test_nothing_is_left():
    names = sorted(thread.name for thread in threading.enumerate())
    assert names == ["MainThread", "finproxy background"]
    assert not psutil.pid_exists(pids[0])
""")
    done.assert_outcomes(passed=2)


def test_a_start_that_fails_shows_the_program(runs: Runs) -> None:
    done = runs("""
def test_start(launch):
    launch(sys.executable, "-c", "print('no config'); raise SystemExit(3)", "{port}")
""")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*exited with code 3 before it was ready*", "*no config*"])


def test_a_program_that_had_to_be_killed_is_named_in_the_summary(runs: Runs) -> None:
    done = runs("""
DEAF = '''
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
signal.pause()
'''

def test_deaf(launch):
    launch(sys.executable, "-c", DEAF, ready="deaf", grace=0.01)
""")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["*= finproxy =*", "*test_deaf*ignored SIGTERM for 0.01 s and was killed"])


def test_an_error_of_the_proxy_belongs_to_its_test(runs: Runs) -> None:
    done = runs("""
import contextlib

def test_bad_rule(echo, fin_proxy):
    fin_proxy(echo, "client.fin -> hld")

def test_refused(fin_proxy):
    proxy = fin_proxy("127.0.0.1:1")
    with pytest.raises(OSError):  # here or there: the reset may come while it is still connecting
        proxy.connect().recv(1)
    assert "refused" in proxy.wait_for("session.refused").fields["reason"]

def test_crash(echo, fin_proxy, monkeypatch):
    from finproxy.session import Session
    def crash(self, over):
        raise RuntimeError("a defect")
    monkeypatch.setattr(Session, "open", crash)
    proxy = fin_proxy(echo)
    with contextlib.suppress(ConnectionResetError):  # it may come while it is still connecting
        proxy.connect()
    proxy.wait_for("session.crashed")

def test_the_next_one_is_fine(echo, fin_proxy):
    with fin_proxy(echo).connect() as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
""")
    done.assert_outcomes(failed=1, passed=3, errors=1)
    done.stdout.fnmatch_lines(["*ERROR at teardown of test_crash*", "*ProxyFailedError*a defect*"])
    done.stdout.fnmatch_lines(["*NotationError*hld*"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "no:trio"),
        ("--import-mode=importlib",),
        ("-p", "xdist", "-n", "2"),
        ("-p", "trio", "-o", "trio_mode=true"),
        ("-p", "asyncio", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
    ],
    ids=["no-trio", "importlib", "xdist", "trio", "asyncio"],
)
def test_it_works_in_every_environment(runs: Runs, arguments: tuple[str, ...]) -> None:
    body = """
    proxy = fin_proxy(echo)
    with proxy.connect() as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
"""
    asynchronous = "asyncio" in arguments or "trio_mode=true" in arguments
    tests = f"def test_plain(echo, fin_proxy):{body}"
    if asynchronous:
        tests += f"async def test_async(echo, fin_proxy):{body}"
    done = runs(tests, *arguments)
    done.assert_outcomes(passed=2 if asynchronous else 1)


def test_anyio_tests_can_use_it(runs: Runs) -> None:
    done = runs(
        """
@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param

@pytest.mark.anyio
async def test_async(echo, fin_proxy):
    proxy = fin_proxy(echo)
    with proxy.connect() as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
""",
        "-p",
        "anyio",
    )
    done.assert_outcomes(passed=2)


def test_another_harness_is_told(runs: Runs, pytester: pytest.Pytester) -> None:
    pytester.mkpydir("harness")
    done = runs("""
def test_it(launch):
    launch("true")
""")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(
        ["*expected the package 'harness' that comes with finproxy*, found another one*"]
    )


def test_a_harness_of_ones_own_is_not_disturbed(runs: Runs, pytester: pytest.Pytester) -> None:
    pytester.mkpydir("harness").joinpath("mine.py").write_text("x = 1")
    done = runs("""
def test_it():
    from harness.mine import x
    assert x == 1
""")
    done.assert_outcomes(passed=1)


def test_the_shutdown_contract_is_one_line(runs: Runs) -> None:
    done = runs("""
def test_broken(echo, shutdown_contract):
    from harness.contract import RawBytes
    shutdown_contract(echo, grace=3, protocol=RawBytes(b"1", b"1"))

def test_known(echo, shutdown_contract):
    from harness.contract import RawBytes
    report = shutdown_contract(
        echo, grace=3, protocol=RawBytes(b"1", b"1"), known={"backlog": "it has no handler for SIGTERM"}
    )
    assert report["idle"].outcome == "pass"
""")
    done.assert_outcomes(failed=1, passed=1)
    done.stdout.fnmatch_lines(["*ContractBrokenError: backlog fails*", "*fail*backlog*4 reset*"])
