"""A ``finproxy serve`` that has no descriptors left, or is told to end in the middle of everything."""

from __future__ import annotations

import http.client
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from ...support.served import Served, connect, serving


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as served:
        yield served


def request(served: Served, text: str) -> socket.socket:
    """A connection on which so much of a request has been sent."""
    sock = socket.create_connection(served.address, timeout=30)
    sock.sendall(text.replace("\n", "\r\n").encode())
    return sock


STREAM = "GET /v1/records/stream?after=0 HTTP/1.1\nHost: localhost\n\n"
HALF = "POST /v1/proxies HTTP/1.1\nHost: localhost\nContent-Length: 100\n\n{"


def test_without_descriptors_the_api_waits_for_some(served: Served) -> None:
    pid = served.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    before = resource.prlimit(
        pid, resource.RLIMIT_NOFILE, (len(list(Path(f"/proc/{pid}/fd").iterdir())), hard)
    )
    with request(served, "GET /v1/health HTTP/1.1\nHost: localhost\n\n") as client:
        assert served.process.stderr is not None
        while "the API cannot accept for now" not in (line := served.process.stderr.readline()):
            assert line, "it has ended"
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

        assert client.recv(12) == b"HTTP/1.1 200"
    assert served.stop() == 0


def test_sigterm_in_the_middle_of_calls_streams_and_sessions_ends_it(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream, ExitStack() as held:
        where = f"127.0.0.1:{upstream.getsockname()[1]}"
        served.says("create", "held", "0", where, "--rule", "client.fin -> hold")
        client = held.enter_context(connect(served.json("ls")["proxies"][0]["listen"]))
        client.shutdown(socket.SHUT_WR)
        for _ in range(5):
            held.enter_context(request(served, STREAM))  # none of them reads
            held.enter_context(request(served, HALF))
        answered = threading.Event()
        callers = [threading.Thread(target=call, args=(served, answered), daemon=True) for _ in range(3)]
        for caller in callers:
            caller.start()
        assert answered.wait(30)
        served.process.terminate()
        _, said = served.process.communicate(timeout=30)  # the grace is 5 s, whatever the API's clients do
        for caller in callers:
            caller.join(30)

    assert served.process.returncode == 0
    assert "Traceback" not in said


def call(served: Served, answered: threading.Event) -> None:
    """Create and delete proxies until nobody answers any more."""
    name = str(threading.get_ident())
    body = f'{{"name": "{name}", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"}}'
    connection = http.client.HTTPConnection(*served.address, timeout=30)
    with suppress(OSError, http.client.HTTPException), closing(connection):
        while True:
            for method, path, text in (("POST", "/proxies", body), ("DELETE", f"/proxies/{name}", None)):
                connection.request(method, path, text)
                with connection.getresponse() as answer:
                    answer.read()
                answered.set()
