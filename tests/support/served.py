"""A ``finproxy serve`` in a process of its own, and the commands that talk to it.

The commands are run in this process: what a user sees of them (output, exit code) is the same, and a Python
that starts costs a second on a busy machine. Where the process itself matters (signals), it is one.
"""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any
from unittest import mock

import pytest

from finproxy.cli import main

COMMAND = [sys.executable, "-m", "finproxy"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command line here, to its end."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch("sys.argv", ["finproxy", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return subprocess.CompletedProcess(arguments, _code(ended.value), out.getvalue(), err.getvalue())


def _code(ended: SystemExit) -> int:
    return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1


class Served:
    """A ``finproxy serve`` and the commands that talk to it."""

    def __init__(self, *options: str, port: int | None = 0) -> None:
        where = [] if port is None else ["--port", str(port)]
        self.process = subprocess.Popen(
            [*COMMAND, "serve", *where, *options], stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        said = ""
        while "API: " not in said:
            line = self.process.stderr.readline()
            assert line, f"it has ended and said: {said}"
            said += line
        self.url = said.partition("API: ")[2].split()[0]
        self.address = "127.0.0.1", int(self.url.rpartition(":")[2])

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command against it."""
        return run(*arguments, "--url", self.url)

    def says(self, *arguments: str) -> str:
        """What a command prints; it must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """What a command prints with ``--json``; it must succeed."""
        return json.loads(self.says(*arguments, "--json"))

    def delete_all(self) -> None:
        """Leave no proxy behind for the next test."""
        for proxy in self.json("ls")["proxies"]:
            self.says("delete", proxy["name"])

    def stop(self) -> int:
        """End it as a user would; returns its exit code."""
        self.process.terminate()
        self.process.communicate(timeout=30)
        return self.process.returncode


@contextmanager
def serving(*options: str, port: int | None = 0) -> Iterator[Served]:
    """A ``finproxy serve`` for the length of a block; without a port, where its options say."""
    served = Served(*options, port=port)
    try:
        yield served
    finally:
        served.process.kill()
        served.process.communicate()


def connect(listen: str) -> socket.socket:
    """A client of the proxy that listens there."""
    host, _, port = listen.strip().rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def read_all(client: socket.socket) -> bytes:
    """What comes until the end."""
    got = bytearray()
    while some := client.recv(65536):
        got += some
    return bytes(got)


@contextmanager
def echo_server() -> Iterator[str]:
    """The address of a server that sends back what it is sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            threading.Thread(target=_echo, args=(listener.accept()[0],), daemon=True).start()
        except OSError:
            return


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except ConnectionError:
            return
