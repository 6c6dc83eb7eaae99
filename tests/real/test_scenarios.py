"""Termination scenarios with real servers and clients: the verdicts that are true, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.background import Background
from harness.contract import Http, RawBytes
from harness.program import Program
from harness.scenarios import ClientSubject, Outcome, ServerSubject, run_scenario, scenarios_for
from tests.harness.connections import needs_linux
from tests.harness.scenarios.subjects import is_out_of_reach
from tests.support.programs import need

from .test_shutdown_contract import nginx, prepared

pytestmark = needs_linux

AT_ONCE = 4
"""Plays of one test: most of their time goes by in waiting for a timer of the program."""
PYTHON = sys.executable
REQUESTS = """
import sys, requests
session = requests.Session()
for url in sys.argv[1:]:
    print(session.get(url, timeout=4).text)
"""
HTTPX = """
import sys, httpx
with httpx.Client(timeout=4) as client:
    for url in sys.argv[1:]:
        print(client.get(url).text)
"""


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    thread = Background()
    yield thread
    thread.stop()


def names_for(kind: str) -> list[str]:
    """The scenarios of this kind; those at SIGTERM are items of the shutdown contract, tested beside this."""
    return [each.name for each in scenarios_for(kind) if "sigterm" not in each.name]


def plays(
    subject: ServerSubject | ClientSubject, background: Background, at_once: int = AT_ONCE
) -> dict[str, Outcome]:
    names = names_for(subject.kind)
    with ThreadPoolExecutor(at_once) as pool:
        return dict(
            zip(names, pool.map(lambda name: run_scenario(name, subject, background), names), strict=True)
        )


def http_server(directory: Path, *command: str, **settings: Any) -> ServerSubject:
    """A server that each play starts for itself: several stop it for a moment, and would stop the others'."""
    start = partial(Program, *command, **prepared(directory), **settings)
    return ServerSubject(start, Http(), Http(close=True))


def holds(
    found: Mapping[str, Outcome], *differences: Mapping[str, str], untried: Mapping[str, str] | None = None
) -> None:
    """Compare all verdicts at once; what is shown on failure has the reasons.

    `untried` are verdicts that are known before it matters what this user can observe.
    """
    expected = dict.fromkeys(found, "pass")
    for difference in differences:
        expected |= difference
    served = (name for name, outcome in found.items() if outcome.subject == "server")
    expected |= dict.fromkeys(filter(is_out_of_reach, served), "not observed")
    expected |= untried or {}
    wrong = [str(outcome) for name, outcome in found.items() if outcome.verdict != expected[name]]
    assert not wrong, "\n".join(wrong)


# Of the clients none ends its own flow behind a request.
NO_HALF_CLOSE = {"half-close-as-abort": "not applicable"}
# One that closes after each answer leaves nobody to close first, nor a kept connection.
ALWAYS_CLOSES = dict.fromkeys(
    (
        "clean-client-close",
        "half-close-swallowed",
        "lost-fin",
        "lost-last-ack",
        "stuck-last-ack",
        "close-wait-budget",
    ),
    "not applicable",
)
# What answers before it has read the body, and closes with the rest unread, resets.
RESETS_UPLOADS = {"early-response-unread-body": "non-strict"}


def test_curl(background: Background) -> None:
    # curl sends a request again on a new connection when a reused one dies without an answer. Without
    # --max-time it waits for ever, also behind a connection that has gone silent.
    need("curl")
    found = plays(ClientSubject(("curl", "-sS", "{urls}"), patience=5.0), background)
    holds(found, NO_HALF_CLOSE, {"blackhole-after-idle": "fail"})


@pytest.mark.parametrize("code", [REQUESTS, HTTPX], ids=["requests", "httpx"])
def test_requests_and_httpx(code: str, background: Background) -> None:
    # Both report an error when the FIN of a kept connection crosses a request, instead of repeating a GET
    # (psf/requests#2364, encode/httpx retries nothing but connecting).
    found = plays(ClientSubject((PYTHON, "-c", code, "{urls}")), background)
    holds(found, NO_HALF_CLOSE, {"fin-crosses-request": "non-strict"})


def test_uvicorn(tmp_path: Path, background: Background) -> None:
    # It answers at once here, so that the client's FIN arrives when the answer is under way already.
    holds(plays(http_server(tmp_path, "uvicorn", "apps:asgi", "--port", "{port}"), background))


def test_hypercorn(tmp_path: Path, background: Background) -> None:
    # It notices the client's FIN not at all: its keep-alive timer, 5 s, is what closes.
    late = (
        "clean-client-close",
        "half-close-request",
        "half-close-swallowed",
        "close-wait-budget",
        "lost-fin",
        "lost-last-ack",
        "stuck-last-ack",
    )
    found = plays(http_server(tmp_path, "hypercorn", "apps:asgi", "-b", "127.0.0.1:{port}"), background)
    holds(found, dict.fromkeys(late, "non-strict"), RESETS_UPLOADS)


def test_gunicorn_sync(tmp_path: Path, background: Background) -> None:
    # It closes after each answer: it sends its FIN and goes on reading until the client has closed as well,
    # but 64 KiB at most, which a large upload exceeds (close_graceful in gunicorn/util.py).
    subject = http_server(tmp_path, "gunicorn", "apps:wsgi", "-b", "127.0.0.1:{port}", grace=0)
    holds(plays(subject, background), ALWAYS_CLOSES, RESETS_UPLOADS)


def test_http_server(tmp_path: Path, background: Background) -> None:
    # HTTP/1.0: it closes after each answer.
    subject = http_server(tmp_path, PYTHON, "-m", "http.server", "{port}", "--bind", "127.0.0.1")
    holds(plays(subject, background), ALWAYS_CLOSES, RESETS_UPLOADS)


def test_nginx(tmp_path: Path, background: Background) -> None:
    # Its port is in its configuration: no second one can be started beside it, to be ended.
    fixed = dict.fromkeys(("stuck-fin-wait1", "stuck-last-ack"), "not applicable")
    with nginx(tmp_path) as program:
        found = plays(ServerSubject(program, Http(), Http(close=True)), background, at_once=1)
    holds(found, untried=fixed)


def test_redis(tmp_path: Path, background: Background) -> None:
    need("redis-server")
    settings = ("--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path))
    start = partial(Program, "redis-server", "--port", "{port}", *settings)
    ping, leave = RawBytes(b"PING\r\n", b"+PONG\r\n"), RawBytes(b"QUIT\r\n", b"+OK\r\n")
    found = plays(ServerSubject(start, ping, leave), background)
    holds(found, {"early-response-unread-body": "not applicable"})  # it does not speak HTTP
