"""Termination scenarios with real servers and clients: the verdicts that are true, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.background import Background
from harness.contract import Http, RawBytes
from harness.scenarios import ClientSubject, ServerSubject, run_scenario, scenarios_for
from tests.harness.connections import needs_linux
from tests.support.programs import need

from .test_shutdown_contract import nginx, running

pytestmark = [needs_linux, pytest.mark.verdict]

PYTHON = sys.executable
REQUESTS = """
import sys, requests
session = requests.Session()
for _ in range(2):
    print(session.get(sys.argv[1], timeout=10).text)
"""
HTTPX = """
import sys, httpx
with httpx.Client(timeout=10) as client:
    for _ in range(2):
        print(client.get(sys.argv[1]).text)
"""


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    thread = Background()
    yield thread
    thread.stop()


def names_for(kind: str) -> list[str]:
    """The scenarios of this kind; those at SIGTERM are items of the shutdown contract, tested beside this."""
    return [each.name for each in scenarios_for(kind) if "sigterm" not in each.name]


def verdicts(subject: ServerSubject | ClientSubject, background: Background) -> dict[str, str]:
    kind = "server" if isinstance(subject, ServerSubject) else "client"
    return {name: str(run_scenario(name, subject, background).verdict) for name in names_for(kind)}


def all_pass(kind: str, **but: str) -> dict[str, str]:
    return dict.fromkeys(names_for(kind), "pass") | {
        name.replace("_", "-"): verdict for name, verdict in but.items()
    }


def test_curl(background: Background) -> None:
    # curl sends a request again on a new connection when a reused one dies without an answer.
    need("curl")
    found = verdicts(ClientSubject(("curl", "-sS", "{url}", "{url}")), background)
    assert found == all_pass("client")


@pytest.mark.parametrize("code", [REQUESTS, HTTPX], ids=["requests", "httpx"])
def test_requests_and_httpx(code: str, background: Background) -> None:
    # Both report an error when the FIN of a kept connection crosses a request, instead of repeating a GET
    # (psf/requests#2364, encode/httpx retries nothing but connecting).
    found = verdicts(ClientSubject((PYTHON, "-c", code, "{url}")), background)
    assert found == all_pass("client", fin_crosses_request="non-strict")


@pytest.mark.parametrize(
    "server", ["uvicorn apps:asgi --port {port}", "hypercorn apps:asgi -b 127.0.0.1:{port}"]
)
def test_uvicorn_and_hypercorn(server: str, tmp_path: Path, background: Background) -> None:
    # Both answer at once here, so that the client's FIN arrives when the answer is under way already.
    with running(tmp_path, *server.split()) as program:
        found = verdicts(ServerSubject(program, Http(), Http(close=True)), background)
    assert found == all_pass("server")


def test_gunicorn_sync(tmp_path: Path, background: Background) -> None:
    # It closes after each answer: it sends its FIN and goes on reading until the client has closed as well.
    # A client that never does keeps the worker, and its socket in FIN-WAIT-2, for seconds.
    moot = dict.fromkeys(("clean_client_close", "half_close_swallowed", "data_after_fin"), "not applicable")
    with running(tmp_path, "gunicorn", "apps:wsgi", "-b", "127.0.0.1:{port}", grace=0) as program:
        subject = ServerSubject(program, Http(), Http(close=True), patience=1.0)
        found = verdicts(subject, background)
    assert found == all_pass("server", fin_never_comes="fail", **moot)


def test_http_server(tmp_path: Path, background: Background) -> None:
    # HTTP/1.0: it closes after each answer, so that nobody can close first.
    moot = dict.fromkeys(("clean_client_close", "half_close_swallowed"), "not applicable")
    with running(tmp_path, PYTHON, "-m", "http.server", "{port}", "--bind", "127.0.0.1") as program:
        found = verdicts(ServerSubject(program, Http(), Http(close=True)), background)
    assert found == all_pass("server", **moot)


def test_nginx(tmp_path: Path, background: Background) -> None:
    with nginx(tmp_path) as program:
        found = verdicts(ServerSubject(program, Http(), Http(close=True)), background)
    assert found == all_pass("server")


def test_redis(tmp_path: Path, background: Background) -> None:
    need("redis-server")
    settings: tuple[Any, ...] = ("--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path))
    ping, leave = RawBytes(b"PING\r\n", b"+PONG\r\n"), RawBytes(b"QUIT\r\n", b"+OK\r\n")
    with running(tmp_path, "redis-server", "--port", "{port}", *settings) as program:
        found = verdicts(ServerSubject(program, ping, leave), background)
    assert found == all_pass("server")
