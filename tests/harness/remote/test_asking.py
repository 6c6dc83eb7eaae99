"""Asking over HTTP: what cannot be an address, who does not answer, and streams that break."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.errors import UsageError
from harness.remote.asking import Asker, RefusedError, UnreachableError


@contextmanager
def answers(text: bytes) -> Iterator[Asker]:
    """A server that answers every connection with the same bytes and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(65536)
                    peer.sendall(text)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Asker(f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("url", ["", "ftp://server", "http://", "http://server:port", "http://server/path"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="expected an address such as"):
        Asker(url)


def test_an_address_may_come_without_its_scheme() -> None:
    assert Asker("server-states:8475").url == "http://server-states:8475"


def test_a_refusal_is_told_in_the_other_sides_words() -> None:
    body = b'{"error": "no such proxy", "expected": "web", "found": "wep", "what_to_do": ""}'
    with (
        answers(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)) as ask,
        pytest.raises(RefusedError, match=r"no such proxy; expected: web; found: wep$"),
    ):
        ask.get("/v1/proxies/wep")


@pytest.mark.parametrize(
    "text", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"]
)
def test_what_is_no_answer_is_said_to_be_none(text: bytes) -> None:
    with answers(text) as ask, pytest.raises(UnreachableError, match="expected an answer from"):
        ask.get("/v1/agent")


def test_a_stream_yields_events_and_ends_with_them() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    body = b'retry: 1000\n\n: keep-alive\n\nid: r-1\nevent: fin.held\ndata: {"id": 1}\n\n'
    body += b'data: {"id": 2}\n\ndata: {"cut'
    with answers(head + body) as ask, ask.stream("/v1/records/stream") as stream:
        told = [(event.kind, event.data["id"]) for event in stream]

    assert told == [("fin.held", 1), ("", 2)]
