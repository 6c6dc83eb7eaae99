"""What goes over the wire, as any HTTP client could notice it; the clients here are plain sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from finproxy import Guard, read_body, serve_http
from finproxy.web import connection
from finproxy.web.requests import MOST_HEAD

from ...support.peers import Peer, connect, patience


@asynccontextmanager
async def peer_of(app: ASGIApp) -> AsyncIterator[Peer]:
    async with serve_http(app, ("127.0.0.1", 0)) as address:
        peer = await connect(address)
        yield peer
        peer.close()


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """The method, the path and the body."""
    text = f"{scope['method']} {scope['path']} ".encode() + await read_body(receive)
    await PlainTextResponse(text)(scope, receive, send)


async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
    """An answer in two pieces, whose length nobody knows beforehand."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one ", "more_body": True})
    await send({"type": "http.response.body", "body": b"two"})


def request(line: str, *headers: str, body: str = "") -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", *headers, "", body]).encode()


async def answer(peer: Peer) -> tuple[bytes, bytes]:
    """The head and the body of an answer that says how long it is."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += await some(peer)
    head, _, body = got.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    while len(body) < length:
        body += await some(peer)
    assert len(body) == length
    return head, body


async def some(peer: Peer) -> bytes:
    data = await peer.receive_some()
    assert data, "the connection has ended within an answer"
    return data


async def test_a_connection_is_used_for_one_request_after_the_other() -> None:
    async with peer_of(echo) as peer:
        for body in ("a", "", "c" * 100_000):
            await peer.send(request("PUT /%41", f"Content-Length: {len(body)}", body=body))
            head, text = await answer(peer)

            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"\r\ndate: " in head
            assert b"connection" not in head
            assert text == f"PUT /A {body}".encode()


async def test_requests_that_are_sent_at_once_are_answered_in_order() -> None:
    async with peer_of(echo) as peer:
        last = request("GET /50", "Connection: close")
        await peer.send(b"".join(request(f"GET /{n}") for n in range(50)) + last)
        text = await peer.read_until_eof()

    assert text.count(b"HTTP/1.1 200 OK") == 51
    places = [text.index(b"\r\n\r\nGET /%d " % n) for n in range(51)]
    assert places == sorted(places)


async def test_whoever_has_closed_its_half_gets_the_answer() -> None:
    async with peer_of(echo) as peer:
        await peer.send(request("POST /", "Content-Length: 2", body="hi"))
        peer.fin()

        assert (await peer.read_until_eof()).endswith(b"\r\n\r\nPOST / hi")


@pytest.mark.parametrize("first", [request("GET /", "Connection: close"), b"GET / HTTP/1.0\r\n\r\n"])
async def test_a_connection_ends_with_the_last_request_of_a_client(first: bytes) -> None:
    async with peer_of(echo) as peer:
        await peer.send(first)
        text = await peer.read_until_eof()

    assert b"\r\nconnection: close\r\n" in text
    assert text.endswith(b"GET / ")


async def test_a_body_that_waits_for_it_is_asked_for() -> None:
    async with peer_of(echo) as peer:
        await peer.send(request("POST /", "Expect: 100-continue", "Content-Length: 2"))
        assert await peer.receive_some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await peer.send(b"hi")

        assert (await answer(peer))[1] == b"POST / hi"


async def test_a_body_that_nobody_asked_for_is_not_taken_for_a_request() -> None:
    async def hasty(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("no")(scope, receive, send)

    async with peer_of(hasty) as peer:
        hidden = request("GET /hidden").decode()
        await peer.send(request("POST /", f"Content-Length: {len(hidden)}"))
        head, _ = await answer(peer)
        assert b"\r\nconnection: close" in head
        await peer.send(hidden.encode())

        assert await peer.read_until_eof() == b""


async def test_chunks_are_put_together() -> None:
    async with peer_of(echo) as peer:
        await peer.send(request("POST /", "Transfer-Encoding: chunked", body="2\r\nhi\r\n"))
        await peer.send(b"1\r\n!\r\n0\r\n\r\n")

        assert (await answer(peer))[1] == b"POST / hi!"


async def test_an_answer_of_unknown_length_goes_out_in_chunks_and_the_connection_stays() -> None:
    async with peer_of(streaming) as peer:
        await peer.send(request("GET /") + request("GET /", "Connection: close"))
        text = await peer.read_until_eof()

    assert text.count(b"transfer-encoding: chunked\r\n") == 2
    assert text.count(b"\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n") == 2


async def test_an_old_client_gets_it_without_chunks_up_to_the_end() -> None:
    async with peer_of(streaming) as peer:
        await peer.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        text = await peer.read_until_eof()

    assert b"chunked" not in text
    assert text.endswith(b"\r\n\r\none two")


@pytest.mark.parametrize("app", [echo, streaming])
async def test_an_answer_to_head_has_no_body(app: ASGIApp) -> None:
    async with peer_of(app) as peer:
        await peer.send(request("HEAD /") + request("HEAD /", "Connection: close"))
        text = await peer.read_until_eof()

    first, second, nothing = text.split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 OK")
    assert second.startswith(b"HTTP/1.1 200 OK")
    assert nothing == b""


async def test_the_wish_for_another_protocol_is_ignored() -> None:
    async with peer_of(echo) as peer:
        wish = "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"
        await peer.send(request("POST /", *wish, "Content-Length: 2", body="hi"))
        assert (await answer(peer))[1] == b"POST / hi"
        await peer.send(request("GET /next"))
        assert (await answer(peer))[1] == b"GET /next "


async def test_a_head_that_does_not_end_is_refused() -> None:
    async with peer_of(echo) as peer:
        await peer.send(b"GET / HTTP/1.1\r\nX: " + b"y" * 2 * MOST_HEAD)

        assert (await peer.read_until_eof()).startswith(b"HTTP/1.1 431 ")


async def test_what_is_bad_behind_a_good_request_is_answered_behind_it() -> None:
    async with peer_of(echo) as peer:
        await peer.send(request("GET /good") + b"nonsense\r\n\r\n")
        text = await peer.read_until_eof()

    assert text.index(b"GET /good") < text.index(b"HTTP/1.1 400 Bad Request")


async def test_bad_chunks_are_answered_with_400() -> None:
    async with peer_of(Guard(echo)) as peer:
        await peer.send(request("POST /", "Transfer-Encoding: chunked", body="no number\r\n"))

        assert (await peer.read_until_eof()).startswith(b"HTTP/1.1 400 ")


async def test_an_application_that_does_not_answer_is_a_defect() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        await trio.lowlevel.checkpoint()

    async with peer_of(silent) as peer:
        await peer.send(request("GET /"))

        assert (await peer.read_until_eof()).startswith(b"HTTP/1.1 500 ")


async def test_an_answer_that_is_shorter_than_it_said_ends_the_connection() -> None:
    async def short(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"four"})

    async with peer_of(short) as peer:
        await peer.send(request("GET /") * 2)

        assert (await peer.read_until_eof()).endswith(b"\r\n\r\nfour")


async def test_a_client_that_waits_too_long_for_its_next_request_is_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "_KEEP_ALIVE", 0.01)
    async with peer_of(echo) as peer:
        await peer.send(b"GET / HTT")

        assert await peer.read_until_eof() == b""


async def test_an_application_is_told_that_its_client_has_gone_and_may_go_on_sending() -> None:
    told: list[Message] = []
    done = trio.Event()

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await receive()
        told.append(await receive())
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        done.set()

    async with peer_of(waiting) as peer:
        await peer.send(request("GET /"))
        await some(peer)
        peer.rst()
        with patience("the application to be told"):
            await done.wait()

    assert told == [{"type": "http.disconnect"}]


async def test_a_client_that_never_stops_asking_is_not_read_for_ever() -> None:
    gone = trio.Event()

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    async with peer_of(waiting) as peer:
        with suppress(trio.BrokenResourceError):  # it may be cut off before it has sent them all
            for _ in range(2 * MOST_HEAD // 10_000):
                await peer.send(request("GET /", "X: " + "y" * 10_000))
        with patience("the client to be cut off"):
            await gone.wait()


async def test_at_the_end_idle_clients_are_let_go_and_answers_finished() -> None:
    asked, finish = trio.Event(), trio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        asked.set()
        await finish.wait()
        await PlainTextResponse("done")(scope, receive, send)

    async with trio.open_nursery() as nursery:
        async with serve_http(slow, ("127.0.0.1", 0)) as address:
            idle, busy = await connect(address), await connect(address)
            await busy.send(request("GET /"))
            await asked.wait()

            async def let_go() -> None:
                assert await idle.read_until_eof() == b""
                finish.set()

            nursery.start_soon(let_go)
        text = await busy.read_until_eof()

    assert b"\r\nconnection: close\r\n" in text
    assert text.endswith(b"done")
