"""A repository of a user: tests in a folder of its own, run by a pytest of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

ECHO = """
import socket, sys, threading

def serve(sock):
    with sock:
        while some := sock.recv(65536):
            sock.sendall(some)

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
"""

PREAMBLE = f"""
import socket, sys
import pytest
ECHO = {ECHO!r}

@pytest.fixture
def echo(launch):
    return launch(sys.executable, "-c", ECHO, "{{port}}")
"""

Runs = Callable[..., pytest.RunResult]


@pytest.fixture
def runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Run pytest on a module with these tests, and these arguments."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    # The other plugins of this environment are loaded where a test asks for them, with -p.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(tests: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=PREAMBLE + tests)
        defaults = ("-p", "finproxy", "-p", "no:cacheprovider", "-W", "error")
        return pytester.run(sys.executable, "-m", "pytest", *defaults, *arguments)

    return run
