"""The fixtures `launch` and `fin_proxy`, as a user's tests see them."""

from __future__ import annotations

from tests.harness.connections import needs_linux

from .conftest import Runs

pytestmark = needs_linux


def test_a_program_and_a_proxy_in_front_of_it(runs: Runs) -> None:
    done = runs("""
import os

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
    # By tables alone, states between two looks may have been missed: then nobody's FIN was seen.
    assert str(proxy.session.judge_close().kind) in {"clean FIN", *(["none"] if os.geteuid() else [])}
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
