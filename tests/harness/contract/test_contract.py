"""The shutdown contract on small servers, each of which breaks one item or keeps them all."""

from __future__ import annotations

import socket
import sys

import pytest

from harness.contract import (
    Callback,
    ContractBrokenError,
    ContractReport,
    Http,
    ItemVerdict,
    Outcome,
    RawBytes,
    judge_item,
    judge_shutdown,
)
from harness.contract.items import ITEMS
from harness.contract.protocols import WrongAnswerError
from harness.errors import CheckFailedError
from harness.program import Program
from tests.harness.connections import needs_linux

pytestmark = needs_linux

ECHO = RawBytes(b"hello\n", b"hello\n")
SLOW = RawBytes(b"slow\n", b"slow\n")

# A thread a connection; what differs is what happens at SIGTERM. A slow request is answered once the
# listener is closed, which makes it slow without any clock.
SERVER = """
import os, signal, socket, struct, sys, threading

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
stopping, threads, open_socks = threading.Event(), [], []

def serve(sock):
    for line in sock.makefile("rb"):
        if line == b"slow\\n":
            stopping.wait()
        sock.sendall(line)
        if line == b"slow\\n":
            sock.shutdown(socket.SHUT_WR)

def accept():
    while True:
        try:
            sock = listener.accept()[0]
        except OSError:
            return
        open_socks.append(sock)
        threads.append(threading.Thread(target=serve, args=[sock], daemon=True))
        threads[-1].start()

def close_listener():
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    accepting.join()

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # in all threads
accepting = threading.Thread(target=accept, daemon=True)
accepting.start()
signal.sigwait([signal.SIGTERM])
"""
GOOD = """
listener.setblocking(False)
accept()  # whoever waits in the backlog; there is no other way to let nobody be reset
close_listener()
stopping.set()
for sock in open_socks:
    try:
        sock.shutdown(socket.SHUT_RD)  # who is answering goes on
    except OSError:
        pass
for thread in threads: thread.join()
os._exit(0)
"""


def judge(at_sigterm: str, **terms: object) -> ContractReport:
    settings = {"grace": 3, "protocol": ECHO, "slow": SLOW, **terms}
    with Program(sys.executable, "-c", SERVER + at_sigterm, "{port}", grace=0) as program:
        return judge_shutdown(program, **settings)


def test_a_good_server_keeps_every_item() -> None:
    report = judge(GOOD)
    assert report.outcomes == dict.fromkeys(ITEMS, "pass"), report


def test_one_that_waits_for_its_clients_does_not_exit() -> None:
    wait = "close_listener(); stopping.set()\nwhile open_socks: signal.pause()\nos._exit(0)"
    report = judge(wait, grace=0.3, slow=None)
    assert report["idle"].outcome is Outcome.FAIL
    assert report["unused"].outcome is Outcome.FAIL
    assert "still running after 0.3 s" in report["idle"].evidence
    assert report["exit-code"].outcome is Outcome.NOT_APPLICABLE
    assert report["in-flight"].outcome is Outcome.NOT_APPLICABLE
    assert "slow=" in report["in-flight"].evidence


def test_one_that_resets_idle_connections_is_found_out() -> None:
    reset = """
for sock in open_socks:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""
    report = judge(reset + "os._exit(3)", slow=None)
    assert report["idle-fin"].outcome is Outcome.FAIL
    assert report["idle-fin"].evidence == "the client read RST"
    assert report["exit-code"].outcome is Outcome.FAIL
    assert report["exit-code"].evidence.startswith("3 ")


def test_one_that_drops_the_request_in_flight_is_found_out() -> None:
    report = judge("os._exit(0)")
    assert report["in-flight"].outcome is Outcome.FAIL
    assert report["says-close"].outcome is Outcome.NOT_APPLICABLE


def test_one_that_goes_on_accepting_is_found_out() -> None:
    report = judge("signal.pause()", grace=0.3, slow=None)
    assert report["refuses"].outcome is Outcome.FAIL


def test_a_child_that_keeps_the_port_is_found_out() -> None:
    report = judge("os.fork() and os._exit(0)\nsignal.pause()", grace=1, slow=None, backlog=1)
    assert report["sockets"].outcome is Outcome.FAIL
    assert "LISTEN, python" in report["sockets"].evidence
    assert report["rebinds"].outcome is Outcome.FAIL


# One thread: what it does with its backlog at the signal is what `at_sigterm` says.
ACCEPTS = """
import os, signal, socket, sys

def serve_one(sock):
    while some := sock.recv(100):
        sock.sendall(some)

def serve():
    while True:
        serve_one(listener.accept()[0])

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=int(sys.argv[2]))
"""


def backlog_of(code: str, *, room: int = 16, **terms: object) -> ItemVerdict:
    settings = {"grace": 3, "protocol": ECHO, **terms}
    with Program(sys.executable, "-c", ACCEPTS + code, "{port}", str(room), grace=0) as program:
        return judge_item(program, "backlog", **settings)


def test_the_waiting_backlog_is_reset_by_one_that_just_ends() -> None:
    verdict = backlog_of("serve()")
    assert verdict.outcome is Outcome.FAIL
    assert verdict.evidence == "4 reset"


def test_a_parent_has_told_its_workers_before_they_go_on() -> None:
    # Let go together, the worker would sometimes have answered before its parent has told it anything.
    forwards = """
worker = os.fork()
if not worker:
    serve()
signal.signal(signal.SIGTERM, lambda *_: os.kill(worker, signal.SIGTERM))
os.wait()
"""
    assert backlog_of(forwards).evidence == "4 reset"


def test_a_backlog_that_is_closed_in_order_is_as_good_as_an_answer() -> None:
    refuses = """
def refuse(*_):
    listener.setblocking(False)
    while True:
        try:
            sock = listener.accept()[0]
        except BlockingIOError:
            os._exit(0)
        sock.recv(100)
        sock.close()

signal.signal(signal.SIGTERM, refuse)
serve()
"""
    verdict = backlog_of(refuses)
    assert verdict.outcome is Outcome.PASS
    assert verdict.evidence == "4 closed without an answer"


def test_a_backlog_that_nobody_cares_for_is_found_out() -> None:
    verdict = backlog_of("signal.signal(signal.SIGTERM, lambda *_: signal.pause()); serve()", grace=0.3)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.evidence == "4 left waiting"


def test_clients_for_whom_the_backlog_has_no_room_do_not_count() -> None:
    assert backlog_of("serve()", room=0, grace=0.3).evidence == "1 reset"


def test_a_server_that_does_not_answer_cannot_be_judged() -> None:
    with (
        Program(sys.executable, "-c", SERVER + GOOD, "{port}") as program,
        pytest.raises(CheckFailedError, match="to answer a plain request"),
    ):
        judge_shutdown(program, grace=3, protocol=RawBytes(b"hello\n", b"HELLO\n"))


def test_a_callable_may_speak_the_protocol() -> None:
    spoken: list[bytes] = []
    protocol = Callback(lambda sock: sock.sendall(b"hi\n"), lambda sock: spoken.append(sock.recv(3)))
    assert judge(GOOD, protocol=protocol, slow=None)["idle"].outcome is Outcome.PASS
    assert spoken[0] == b"hi\n"


def test_http_answers_are_read_to_their_end() -> None:
    client, server = socket.socketpair()
    with client, server:
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        assert Http().receive(client) == ("200 with 2 bytes", True)
        server.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert Http().receive(client) == ("204 with 0 bytes", False)


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        b"HTTP/1.1 413 Too",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    ],
)
def test_an_http_answer_that_is_cut_anywhere_is_none(cut: bytes) -> None:
    client, server = socket.socketpair()
    with client, server:
        server.sendall(cut)
        server.shutdown(socket.SHUT_WR)
        with pytest.raises(WrongAnswerError):
            Http().receive(client)


def report_of(**outcomes: Outcome) -> ContractReport:
    verdicts = [ItemVerdict(item, "asks", outcome, "seen") for item, outcome in outcomes.items()]
    return ContractReport("it", tuple(verdicts))


def test_what_is_required_is_exactly_what_was_said() -> None:
    report = report_of(idle=Outcome.PASS, backlog=Outcome.FAIL, slow=Outcome.NOT_APPLICABLE)
    report.require({"backlog": "the kernel's doing"})
    with pytest.raises(ContractBrokenError, match="backlog fails"):
        report.require()
    with pytest.raises(ContractBrokenError, match="idle was said to fail, and does not"):
        report.require({"backlog": "", "idle": ""})
