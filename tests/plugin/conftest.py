"""A repository of a user: tests in a folder of its own, run by a pytest of its own."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable

import pytest

import finproxy
import harness

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


@pytest.fixture(scope="session")
def all_imported() -> None:
    """What a run in this process is the first to import, it forgets: the next one would have it twice."""
    for package in (finproxy, harness):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__") and ".programs." not in module.name:  # scripts
                importlib.import_module(module.name)


@pytest.fixture
def runs(all_imported: None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Run pytest on a module with these tests, and these arguments.

    In this process, which has imported already what half of a run's time would go into; `alone` in one of its
    own, for tests of what a process imports, holds or leaves behind, of other plugins, and beside services on
    threads of this one: a run forgets what was imported meanwhile, whoever did.
    """
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    # The other plugins of this environment are loaded where a test asks for them, with -p.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(tests: str, *arguments: str, alone: bool = False) -> pytest.RunResult:
        pytester.makepyfile(test_it=PREAMBLE + tests)
        given = ("-p", "finproxy", "-p", "no:cacheprovider", "-W", "error", *arguments)
        if alone:
            return pytester.run(sys.executable, "-m", "pytest", *given)
        # A dump of this run's stack belongs to the run outside.
        return pytester.runpytest_inprocess("-p", "no:faulthandler", *given)

    return run
