from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finproxy.web.requests import MOST_HEAD, Request, RequestReader

GET = b"GET /a?b=%20 HTTP/1.1\r\nHost: x\r\nX-Y: Z\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = b"3\r\nabc\r\n4;e=f\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"
CHUNKED = b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS
UPGRADE = b"POST /u HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi"
MANY = GET + POST + UPGRADE + CHUNKED + GET.replace(b"1.1", b"1.0")


def read(*pieces: bytes) -> RequestReader:
    reader = RequestReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


def summary(request: Request) -> tuple[str, bytes, bytes, str, bool, bool]:
    body = b"".join(request.body)
    return request.method, request.target, body, request.version, request.keep_alive, request.complete


def test_a_request_has_method_target_headers_and_version() -> None:
    (request,) = read(GET).ready

    assert summary(request) == ("GET", b"/a?b=%20", b"", "1.1", True, True)
    assert request.headers == [(b"host", b"x"), (b"x-y", b"Z")]


@given(st.sets(st.integers(1, len(MANY) - 1), max_size=12))
def test_requests_are_the_same_however_they_are_cut(cuts: set[int]) -> None:
    reader = read(*(MANY[start:end] for start, end in pairwise([0, *sorted(cuts), len(MANY)])))

    assert [summary(request) for request in reader.ready] == [
        ("GET", b"/a?b=%20", b"", "1.1", True, True),
        ("POST", b"/p", b"hello", "1.1", True, True),
        ("POST", b"/u", b"hi", "1.1", True, True),
        ("PUT", b"/c", b"abcdefg", "1.1", True, True),
        ("GET", b"/a?b=%20", b"", "1.0", False, True),
    ]
    assert reader.error is None


def test_a_request_is_ready_before_its_body_is_there() -> None:
    reader = read(POST[:-3])

    assert [summary(request) for request in reader.ready] == [("POST", b"/p", b"he", "1.1", True, False)]


@pytest.mark.parametrize("piece", [1000, 60_000])
def test_a_head_has_a_limit(piece: int) -> None:
    line = b"X: %b\r\n" % (b"y" * piece)
    reader = read(b"GET / HTTP/1.1\r\n", *[line] * (MOST_HEAD // piece + 1))

    assert reader.error
    assert reader.error.status == 431


def test_many_requests_and_long_bodies_are_no_long_head() -> None:
    body = b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", *[b"x" * 1000] * 100
    reader = read(*[GET * 1500 + GET[:9], GET[9:]] * 2, *body, *[GET] * 3000)

    assert reader.error is None
    assert len(reader.ready) == 6003


@pytest.mark.parametrize(
    "text",
    [
        b"\x16\x03\x01 this is not HTTP\r\n\r\n",
        b"GET / HTTP/1.1\r\nX : space before the colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: \x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_bad_or_could_be_read_in_two_ways_is_an_error_behind_what_is_good(text: bytes) -> None:
    reader = read(GET + text, GET)

    assert reader.error
    assert reader.error.status == 400
    assert reader.ready[0].target == b"/a?b=%20"
    assert len(reader.ready) == 1


@pytest.mark.parametrize(
    ("version", "connection", "keep"),
    [("1.1", "", True), ("1.1", "close", False), ("1.0", "", False), ("1.0", "keep-alive", True)],
)
def test_a_client_says_whether_it_will_send_another(version: str, connection: str, keep: bool) -> None:
    (request,) = read(f"GET / HTTP/{version}\r\nConnection: {connection}\r\n\r\n".encode()).ready

    assert request.keep_alive is keep


def test_whoever_takes_it_for_an_http_proxy_is_told() -> None:
    reader = read(GET + b"CONNECT localhost:1 HTTP/1.1\r\n\r\n" + GET)

    assert [request.method for request in reader.ready] == ["GET"]
    assert reader.error
    assert reader.error.status == 501
