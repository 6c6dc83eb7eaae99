from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from finproxy import Guard, serve_http

from ...support.peers import connect


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    said = f"{scope['path']} {scope['raw_path'].decode()} {scope['query_string'].decode()}"
    await PlainTextResponse(said)(scope, receive, send)


async def answer_to(target: str, host: str) -> str:
    async with serve_http(Guard(tell), ("127.0.0.1", 0)) as address:
        peer = await connect(address)
        await peer.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return (await peer.read_until_eof()).decode()


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        ("/a/b%20c?d=http://e/f", "/a/b c /a/b%20c d=http://e/f"),
        ("http://localhost:8474/a/b%20c?d=1", "/a/b c /a/b%20c d=1"),
        ("HTTP://127.0.0.1/a", "/a /a "),
        ("http://localhost", "/ / "),
        ("http://localhost?d=1", "/ / d=1"),
        ("/http://localhost/a", "/http://localhost/a /http://localhost/a "),
    ],
)
async def test_a_target_means_the_same_in_either_form(target: str, seen: str) -> None:
    answer = await answer_to(target, "localhost")

    assert answer.startswith("HTTP/1.1 200")
    assert answer.endswith(f"\r\n\r\n{seen}")


async def test_the_host_of_the_target_is_the_one_that_counts() -> None:
    assert (await answer_to("http://localhost/", "evil.example")).startswith("HTTP/1.1 200")
    assert (await answer_to("http://evil.example/", "localhost")).startswith("HTTP/1.1 403")
