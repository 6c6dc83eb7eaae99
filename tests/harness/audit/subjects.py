"""Small subjects in plain sockets, obviously right or obviously wrong, and recipes for them.

Functions that recipes name as ``module:function`` are called in the workers' processes.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

from harness.audit.reading import read_recipe
from harness.audit.recipe import Recipe
from harness.contract.protocols import RawBytes

_SERVER = """
import socket, sys, threading, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def serve(sock):
    with sock:
        while request := sock.recv(100):
            {answer}
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
"""
PATIENT = _SERVER.format(answer="time.sleep(float(request)); sock.sendall(b'ok')")
"""Answers after as many seconds as the request says, whatever the client has done meanwhile."""

DEAF_AFTER_ONE = """
import socket, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
first = listener.accept()[0]
first.recv(100)
first.sendall(b"ok")
threading.Event().wait()
"""
"""Answers once, then never does anything any more."""

IMPATIENT = _SERVER.format(
    answer="""
            sock.settimeout(float(request) or None)
            try:
                if float(request) and not sock.recv(100):
                    return  # takes end of file for a lost client
            except TimeoutError:
                pass
            sock.settimeout(None)
            sock.sendall(b'ok')
"""
)
"""Gives up an answer when the client half-closes before it is there."""

LEAVING = (
    "import subprocess, sys\n"
    "subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()', sys.argv[2]], "
    "env={}, start_new_session=True)\n"
) + PATIENT
"""Like postgres it has a child in a session of its own, without its environment: called as it is told."""

RELAY = """
import socket, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def pump(source, sink):
    while some := source.recv(65536):
        sink.sendall(some)
    {at_end}
while True:
    client = listener.accept()[0]
    server = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    for pair in ((client, server), (server, client)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"""
HALF_CLOSING = RELAY.format(at_end="sink.shutdown(socket.SHUT_WR)")
FULL_CLOSING = RELAY.format(
    at_end="[sock.shutdown(socket.SHUT_RDWR) for sock in (source, sink)]",
)


def server(name: str, code: str, **more: object) -> Recipe:
    """A server of one's own whose answer takes as many seconds as its request says."""
    return read_recipe(
        name,
        {
            "kind": "server",
            "command": [sys.executable, "-c", code, "{port}"],
            "protocol": "raw",
            "ask": ["0", "ok"],
            "slow": ["{seconds}", "ok"],
            "patience": "3s",
            "grace": "3s",
            **more,
        },
    )


def relay(name: str, code: str) -> Recipe:
    return read_recipe(
        name, {"kind": "relay", "command": [sys.executable, "-c", code, "{port}", "{upstream}"]}
    )


def crashing(_seconds: float, *, close: bool) -> RawBytes:
    """A protocol that fails in the audit's own process."""
    raise RuntimeError("a defect of the audit")


def dying(_seconds: float, *, close: bool) -> RawBytes:
    """A protocol that takes the worker with it."""
    os._exit(7)


def unending(_seconds: float, *, close: bool) -> RawBytes:
    """A protocol that does not even end when its worker is told to."""
    while True:
        with contextlib.suppress(SystemExit):
            threading.Event().wait()


def hanging(_seconds: float, *, close: bool) -> RawBytes:
    """A protocol that never comes back."""
    threading.Event().wait()
    raise AssertionError
