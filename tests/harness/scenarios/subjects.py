"""Small subjects in plain sockets: obviously right ones, and ones that are wrong in one obvious way."""

from __future__ import annotations

import os
import sys

import pytest

from harness.background import Background
from harness.contract import Http, RawBytes
from harness.program import Program
from harness.scenarios import ClientSubject, Outcome, RelaySubject, ServerSubject, Verdict, run_scenario
from harness.scenarios.catalogue import find_scenario
from harness.scenarios.scenario import WIRE

ASK = RawBytes(b"ask\n", b"ok\n")
BYE = RawBytes(b"bye\n", b"ok\n")


def slow(seconds: float) -> RawBytes:
    """A request whose answer takes so long."""
    return RawBytes(f"slow {seconds}\n".encode(), b"ok\n")


_SERVER = """
import os, signal, socket, sys, threading, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
{listen}
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
        if line.startswith(b"slow"):
            time.sleep(float(line.split()[1]))
        {meanwhile}
        sock.sendall(b"ok\\n")
        if {says_bye}:
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
    "listen": 'listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))',
    "before": "pass",
    "meanwhile": "pass",
    "says_bye": "line == b'bye\\n'",
    "after": "data.close(); sock.close()",
    "at_end": "finish()",
}
_RESET = "sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\\x01\\0\\0\\0' + bytes(4)); sock.close()"
_GONE = "if sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b'': sock.close(); return"
ABORTS_ON_FIN = {**GOOD, "before": "try:\n            " + _GONE + "\n        except BlockingIOError: pass"}
ABORTS_A_LATE_ANSWER = {
    **GOOD,
    "meanwhile": "if line.startswith(b'slow') and sock.recv(1, socket.MSG_PEEK) == b'': sock.close(); return",
}
KEEPS_ITS_FD = {**GOOD, "after": "sock.shutdown(socket.SHUT_WR); kept.append((sock, data))"}
LEAKS = {**GOOD, "after": "kept.append((sock, data))"}
CLOSES_BY_A_TIMER = {**GOOD, "after": "time.sleep(2.5); data.close(); sock.close()"}
RESETS = {**GOOD, "after": f"data.close(); {_RESET}"}
LETS_THE_CLIENT_CLOSE = {**GOOD, "says_bye": "False"}
NEEDS_THE_PORT_FOR_ITSELF = {
    **GOOD,
    "listen": "listener = socket.socket(); listener.bind(('127.0.0.1', int(sys.argv[1]))); listener.listen()",
}
RESETS_LATE_REQUESTS = {
    **GOOD,
    "before": f"if stopping.is_set(): data.close(); {_RESET}; return",
    "at_end": "listener.shutdown(socket.SHUT_RDWR); listener.close(); stopping.set(); signal.pause()",
}
ENDS_AT_ONCE = {**GOOD, "at_end": "pass"}
NEVER_ENDS = {**GOOD, "at_end": "threading.Event().wait()"}
DIES_OF_A_REQUEST = {**GOOD, "after": "os._exit(3)"}


_UPLOAD_SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    sock = listener.accept()[0]
    data = b""
    while b"\\r\\n\\r\\n" not in data:
        data += sock.recv(1000)
    {early}
    sock.close()
"""
_ANSWER = "sock.sendall(b'HTTP/1.1 413 Too Large\\r\\nContent-Length: 3\\r\\n\\r\\nno\\n')"
_READ_ON = "[None for _ in iter(lambda: sock.recv(65536), b'')]"
LINGERS = f"{_ANSWER}; sock.shutdown(socket.SHUT_WR); {_READ_ON}"
CLOSES_WITH_BYTES_UNREAD = _ANSWER
READS_ALL_FIRST = f"sock.settimeout(2); {_READ_ON}; {_ANSWER}"
REFUSES_WITH_HALF_AN_ANSWER = _ANSWER.replace("Length: 3", "Length: 30")


def try_upload(early: str, background: Background) -> Outcome:
    """Play early-response-unread-body with a server that does this when it has read the header."""
    command = [sys.executable, "-c", _UPLOAD_SERVER.format(early=early), "{port}"]
    subject = ServerSubject(lambda: Program(*command, grace=0), Http())
    return run_scenario("early-response-unread-body", subject, background)


def server(parts: dict[str, str]) -> list[str]:
    """The command of a server."""
    return [sys.executable, "-c", _SERVER.format(**parts), "{port}"]


def is_out_of_reach(name: str) -> bool:
    """Whether this user cannot play a scenario with a server: no bare FIN is kept out without privilege."""
    return os.geteuid() != 0 and WIRE in find_scenario(name).needs


def try_server(name: str, background: Background, parts: dict[str, str], **settings: float) -> Outcome:
    """Play a scenario with a server; settings are `patience`, and the scenario's parameters."""
    patience = settings.pop("patience", 5.0)
    subject = ServerSubject(lambda: Program(*server(parts), grace=0), ASK, BYE, slow, patience)
    outcome = run_scenario(name, subject, background, **settings)
    if is_out_of_reach(name):
        assert outcome.verdict is Verdict.NOT_OBSERVED, outcome.told()
        pytest.skip(f"needs root: {outcome.reason.splitlines()[0]}")
    return outcome


_CLIENT = """
import http.client, sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
connection = http.client.HTTPConnection(url.hostname, url.port, timeout={timeout})
for _ in sys.argv[1:]:
    for attempt in range({attempts}):
        try:
            connection.request({method!r}, "/")
            print(connection.getresponse().read().decode())
            break
        except ({forgives}) as error:
            connection.close()
            if attempt == {attempts} - 1:
                {at_last}
"""
_LOST = "http.client.RemoteDisconnected, ConnectionError"
_USUAL = {"timeout": 10, "attempts": 2, "method": "GET", "forgives": _LOST, "at_last": "raise"}
RETRIES = _CLIENT.format(**_USUAL)
REPEATS_POSTS = _CLIENT.format(**{**_USUAL, "method": "POST"})
GIVES_UP = _CLIENT.format(**{**_USUAL, "attempts": 1})
GIVES_UP_IN_SILENCE = _CLIENT.format(**{**_USUAL, "attempts": 1, "at_last": "sys.exit(0)"})
IS_IMPATIENT = _CLIENT.format(**{**_USUAL, "timeout": 1})
IS_PATIENT = _CLIENT.format(**{**_USUAL, "timeout": None})
KEEPS_DEAD_CONNECTIONS = """
import http.client, sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
kept = []
for _ in sys.argv[1:]:
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    connection.request("GET", "/")
    print(connection.getresponse().read().decode())
    kept.append(connection)
"""
_HALF_CLOSES = """
import socket, sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
with socket.create_connection((url.hostname, url.port), 10) as sock:
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    sock.shutdown(socket.SHUT_WR)
    answer = b"".join(iter(lambda: sock.recv(65536), b""))
{judges}
"""
HALF_CLOSES = _HALF_CLOSES.format(judges="assert answer.startswith(b'HTTP/')")
HALF_CLOSES_AND_BELIEVES_ALL = _HALF_CLOSES.format(judges="")
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


def client(code: str, urls: str = "{urls}") -> ClientSubject:
    """A client that runs this code."""
    return ClientSubject((sys.executable, "-c", code, urls))


def try_client(name: str, background: Background, code: str, **parameters: float) -> Outcome:
    """Play a scenario with a client."""
    return run_scenario(name, client(code), background, **parameters)


_RELAY = """
import os, select, socket, struct, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))

def abort(sock):
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RD)
    except OSError:
        pass

def pump(source, target):
    try:
        while True:
            {before}
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
        {at_fin}
    except OSError:
        {at_reset}

def serve(client):
    server = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    back = threading.Thread(target=pump, args=(server, client))
    back.start()
    pump(client, server)
    back.join()
    {at_end}
    client.close()
    server.close()

while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
"""
GOOD_RELAY = {
    "before": "pass",
    "at_fin": "target.shutdown(socket.SHUT_WR)",
    "at_reset": "abort(source); abort(target)",
    "at_end": "pass",
}
CLOSES_BOTH = {**GOOD_RELAY, "at_fin": "[each.shutdown(socket.SHUT_RDWR) for each in (source, target)]"}
MAKES_FIN_OF_RESETS = {
    **GOOD_RELAY,
    "at_reset": "[each.shutdown(socket.SHUT_RDWR) for each in (target, source)]",
}
MAKES_RESETS_OF_FIN = {**GOOD_RELAY, "at_fin": "abort(target); target.close()"}
SWALLOWS_FIN = {**GOOD_RELAY, "at_fin": "pass"}
LEAKS_LEGS = {**GOOD_RELAY, "at_fin": "pass", "at_end": "threading.Event().wait()"}
LOOKS_FOR_ERRORS_FIRST = {
    **GOOD_RELAY,
    "before": (
        "select.select([source], [], [])\n"
        "            if source.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR): raise OSError"
    ),
}
DIES_OF_AN_ERROR = {**GOOD_RELAY, "at_reset": "os._exit(1)"}


def relay(parts: dict[str, str], patience: float = 5.0) -> RelaySubject:
    """A relay made of these parts."""
    code = _RELAY.format(**parts)
    return RelaySubject.of(sys.executable, "-c", code, "{port}", "{upstream}", patience=patience, grace=0)


def try_relay(name: str, background: Background, parts: dict[str, str], **settings: float) -> Outcome:
    """Play a scenario with a relay; settings are `patience`, and the scenario's parameters."""
    patience = settings.pop("patience", 5.0)
    return run_scenario(name, relay(parts, patience), background, **settings)
