"""The shutdown contract on real servers: the verdicts that are true for the versions installed, and why.

Not every server keeps it, and no server has to: what a test holds is that the verdict is the true one.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.contract import ContractReport, Http, RawBytes, judge_shutdown
from harness.contract.items import ITEMS
from harness.ports import ReservedPort
from harness.program import Program
from tests.harness.connections import needs_linux
from tests.support.programs import need

pytestmark = needs_linux

GRACE = 5.0
ALL_PASS = dict.fromkeys(ITEMS, "pass")
NO_KEEP_ALIVE = dict.fromkeys(("idle", "idle-fin"), "not applicable")
NOTHING_SLOW = dict.fromkeys(("in-flight", "says-close"), "not applicable")

APPLICATIONS = """
import asyncio, time

def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.5)
    start_response("200 OK", [("Content-Length", "5"), ("Content-Type", "text/plain")])
    return [b"hello"]

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})
"""


def prepared(directory: Path) -> dict[str, Any]:
    """The applications, written there, and what a program that serves them has to be given."""
    (directory / "apps.py").write_text(APPLICATIONS, encoding="utf-8")
    return {"cwd": directory, "env": {"HOME": str(directory), "XDG_RUNTIME_DIR": str(directory)}}


@contextmanager
def running(directory: Path, *command: str, **settings: Any) -> Iterator[Program]:
    with Program(*command, **prepared(directory), **settings) as program:
        yield program


def judged(program: Program, **terms: Any) -> ContractReport:
    return judge_shutdown(program, **{"grace": GRACE, "slow": Http("/slow"), **terms})


def holds(report: ContractReport, *differences: Mapping[str, str]) -> None:
    """Compare all verdicts at once; what is shown on failure has the evidence."""
    expected = dict(ALL_PASS)
    for difference in differences:
        expected |= difference
    assert report.outcomes == expected, str(report)


def test_uvicorn(tmp_path: Path) -> None:
    # It looks at its signals every 100 ms. What it has accepted in the same turn of its loop, it closes with
    # the request unread, which the kernel turns into a reset. It ends by the signal itself, raised again.
    with running(tmp_path, "uvicorn", "apps:asgi", "--port", "{port}") as program:
        report = judged(program)
    holds(report, {"backlog": "fail"})
    assert report["exit-code"].evidence.startswith("-15 ")


def test_hypercorn(tmp_path: Path) -> None:
    # It serves what is under way for graceful_timeout = 3 s at most, and closes its backlog with FIN.
    with running(tmp_path, "hypercorn", "apps:asgi", "-b", "127.0.0.1:{port}") as program:
        report = judged(program)
    holds(report)
    assert report["backlog"].evidence == "4 closed without an answer"


def test_gunicorn_sync(tmp_path: Path) -> None:
    # The sync worker knows no keep-alive. It waits in recv() for a client that sends nothing, and is killed
    # only after graceful_timeout = 30 s. Its listener is closed with connections in the backlog, which the
    # kernel then resets (benoitc/gunicorn#2529).
    with running(tmp_path, "gunicorn", "apps:wsgi", "-b", "127.0.0.1:{port}", grace=0) as program:
        report = judged(program)
    holds(report, NO_KEEP_ALIVE, {"unused": "fail", "backlog": "fail"})


def test_http_server(tmp_path: Path) -> None:
    # It has no handler for SIGTERM: the kernel ends it, closes what is idle with FIN, and resets the backlog.
    # HTTP/1.0, so that nobody can be idle.
    command = (sys.executable, "-m", "http.server", "{port}", "--bind", "127.0.0.1")
    with running(tmp_path, *command) as program:
        report = judged(program, slow=None)
    holds(report, NO_KEEP_ALIVE, NOTHING_SLOW, {"backlog": "fail"})


def test_redis(tmp_path: Path) -> None:
    # It looks at the signal in a timer, every 100 ms, and ends there: who has not been served is reset.
    need("redis-server")
    settings = ("--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path))
    with running(tmp_path, "redis-server", "--port", "{port}", *settings) as program:
        report = judged(program, slow=None, protocol=RawBytes(b"PING\r\n", b"+PONG\r\n"))
    holds(report, NOTHING_SLOW, {"backlog": "fail"})
    assert report["backlog"].evidence == "4 reset"


NGINX = """
{user} daemon off; pid {directory}/nginx.pid; error_log stderr notice; worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log off; root {directory}; keepalive_timeout 60s;
    client_body_temp_path {directory}/tmp; proxy_temp_path {directory}/tmp; fastcgi_temp_path {directory}/tmp;
    uwsgi_temp_path {directory}/tmp; scgi_temp_path {directory}/tmp;
    server {{
        listen 127.0.0.1:{port};
        location /slow {{ limit_rate 10k; }}
        location / {{ return 200 "hello"; }}
    }}
}}
"""


@contextmanager
def nginx(directory: Path) -> Iterator[Program]:
    need("nginx")
    (directory / "slow").write_bytes(b"x" * 40_000)  # at 10 kB a second
    user = "user root;" if os.geteuid() == 0 else ""  # its workers have to read what only we may read
    reserved = ReservedPort()
    config = directory / "nginx.conf"
    config.write_text(NGINX.format(user=user, directory=directory, port=reserved.number), encoding="utf-8")
    command = ("nginx", "-p", str(directory), "-e", "stderr", "-c", str(config))
    try:
        with running(directory, *command, port=reserved.number) as program:
            yield program
    finally:
        reserved.close()


def test_nginx_at_sigterm(tmp_path: Path) -> None:
    # SIGTERM is nginx's fast shutdown: what is in flight is cut off, and what waits is reset.
    with nginx(tmp_path) as program:
        report = judged(program)
    holds(report, {"in-flight": "fail", "says-close": "not applicable", "backlog": "fail"})


def test_nginx_at_sigquit(tmp_path: Path) -> None:
    # SIGQUIT is the graceful one. For a client that has sent nothing it waits client_header_timeout, 60 s. It
    # accepts one connection in each turn of its loop, and closes its listener behind the first.
    with nginx(tmp_path) as program:
        report = judged(program, number=signal.SIGQUIT)
    holds(report, {"unused": "fail", "backlog": "fail"})
    assert report["backlog"].evidence == "1 answered, 3 reset"
