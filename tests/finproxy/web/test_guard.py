from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

import finproxy
from finproxy import Guard, Refusal, read_body, read_token, serve_http
from finproxy.web.guard import MOST_BYTES

from ...support.peers import connect
from .conftest import client_of

TOKEN = "correct-horse-battery"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(await read_body(receive))(scope, receive, send)


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("a secret detail")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8474", "10.1.2.3:1", "[::1]:8474", "localhost:99", "finproxy:8474", "FINPROXY"],
)
async def test_an_address_and_a_name_without_a_dot_are_hosts(host: str) -> None:
    async with client_of(Guard(echo)) as client:
        assert (await client.get("/", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8474", "127.0.0.1.evil.example", "a@b", "", "[::1"]
)
async def test_any_other_host_is_refused(host: str) -> None:
    async with client_of(Guard(echo)) as client:
        answer = await client.get("/", headers={"host": host})

    assert answer.status_code == 403
    assert answer.json()["found"] == host


@pytest.mark.parametrize("hosts", [["proxy.internal"], ["*"]])
async def test_a_name_with_a_dot_can_be_allowed(hosts: list[str]) -> None:
    async with client_of(Guard(echo, hosts=hosts)) as client:
        assert (await client.get("/", headers={"host": "Proxy.Internal:80"})).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1:1"])
async def test_a_page_of_another_origin_is_refused(origin: str) -> None:
    async with client_of(Guard(echo, hosts=["*"])) as client:
        answer = await client.post("/", headers={"origin": origin})

    assert answer.status_code == 403
    assert answer.json()["found"] == origin


async def test_a_page_of_its_own_origin_is_not() -> None:
    async with client_of(Guard(echo)) as client:
        own = str(client.base_url).rstrip("/")
        assert (await client.get("/", headers={"origin": own})).status_code == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Basic {TOKEN}", 401),
        ("Bearer", 401),
        (None, 401),
    ],
)
async def test_a_token_is_asked_for(header: str | None, status: int) -> None:
    async with client_of(Guard(echo, token=TOKEN)) as client:
        answer = await client.get("/", headers={"authorization": header} if header else {})

    assert answer.status_code == status
    assert (answer.headers.get("www-authenticate") == "Bearer") is (status == 401)
    assert TOKEN not in answer.text


async def test_with_a_token_any_host_passes_and_an_open_path_needs_none() -> None:
    async with client_of(Guard(echo, token=TOKEN, open_paths=["/health"])) as client:
        assert (await client.get("/health", headers={"host": "a.example"})).status_code == 200
        assert (await client.get("/health/more")).status_code == 401


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    async with client_of(Guard(echo)) as client:
        answer = await client.post("/", content=b"x" * (MOST_BYTES + 1))

    assert answer.status_code == 413
    assert answer.json()["expected"] == f"at most {MOST_BYTES} bytes"


async def test_a_body_that_grows_too_large_is_not_read_further() -> None:
    async def chunks() -> Any:
        for _ in range(17):
            yield b"x" * 65536

    async with client_of(Guard(echo)) as client:
        assert (await client.post("/", content=chunks())).status_code == 413


async def test_a_defect_is_answered_without_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    async with client_of(Guard(broken)) as client:
        answer = await client.get("/")

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "a secret detail" in caplog.text


async def test_a_client_that_goes_away_within_its_body_leaves_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serve_http(Guard(echo), ("127.0.0.1", 0)) as address:
        peer = await connect(address)
        await peer.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        peer.rst()
        peer = await connect(address)
        await peer.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        peer.fin()
        await peer.read_until_eof()

    assert "failed" not in caplog.text


async def test_what_is_no_request_is_answered_with_400() -> None:
    async with serve_http(Guard(echo), ("127.0.0.1", 0)) as address:
        peer = await connect(address)
        await peer.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        assert (await peer.read_until_eof()).startswith(b"HTTP/1.1 400")


def test_a_refusal_is_an_error_of_finproxy() -> None:
    assert issubclass(Refusal, finproxy.FinproxyError)


@pytest.mark.parametrize("text", ["", "short", "sixteen and more, but blanks", "ümläute-ümläute-ümläute"])
def test_a_token_that_keeps_nobody_out_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)

    with pytest.raises(finproxy.FinproxyError, match="expected one line of at least 16"):
        read_token(file)


def test_a_token_is_read_without_the_end_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")

    assert read_token(file) == TOKEN


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(finproxy.FinproxyError, match=r"nowhere cannot be read"):
        read_token(tmp_path / "nowhere")
