"""Real programs for tests: started in a directory of their own on a free port, ended by their process id."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from harness.sources.choice import best_table
from harness.states import TcpState

_READY_WITHIN = 20.0
PAGE = b"x" * 12_000


def need(program: str) -> str:
    """Return the program's path; without it the test is skipped, but fails where CI is set."""
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(
    argv: Sequence[str], *, port: int | None = None, user: int | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program while the body runs; with `port`, wait until it accepts connections there."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        user=user,
        start_new_session=True,
    )
    with process:
        try:
            if port is not None:
                _wait_until_listening(process, port)
            yield process
        finally:
            # The session is the program's own: this ends what it has forked as well.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Look for the listener in the socket table: a trial connection would be one more for the test to see."""
    table, deadline = best_table(), time.monotonic() + _READY_WITHIN
    with closing(table):
        while not any(row.state is TcpState.LISTEN for row in table.rows(frozenset({port}))):
            if process.poll() is not None:
                said = process.stdout.read().decode() if process.stdout else ""
                pytest.fail(f"{process.args!r} ended with {process.returncode} before it listened: {said}")
            if time.monotonic() > deadline:
                pytest.fail(f"{process.args!r} does not listen on port {port} after {_READY_WITHIN} s")


@contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """Serve PAGE as /page."""
    program, port = need("nginx"), free_port()
    (folder / "page").write_bytes(PAGE)
    config = folder / "nginx.conf"
    config.write_text(
        f"""
        daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
        events {{}}
        http {{
            access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
            server {{ listen 127.0.0.1:{port}; root {folder}; }}
        }}
        """
    )
    with running([program, "-e", f"{folder}/error.log", "-c", str(config)], port=port):
        yield port


@contextmanager
def redis(folder: Path) -> Iterator[int]:
    """Run redis without persistence."""
    program, port = need("redis-server"), free_port()
    argv = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with running(argv, port=port):
        yield port


@contextmanager
def finproxy(upstream: int) -> Iterator[int]:
    """Run the proxy before a port, as a user would; yields the port to connect to."""
    argv = [sys.executable, "-m", "finproxy", "run", "0", str(upstream), "--quiet", "--journal", "-"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["address"][1]
        finally:
            process.kill()
