from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from finproxy.addresses import AddressError, format_address, parse_listen, parse_upstream


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9000", ("127.0.0.1", 9000)),
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("db.internal:5432", ("db.internal", 5432)),
        ("[::1]:8080", ("::1", 8080)),
        ("[fe80::1%eth0]:80", ("fe80::1%eth0", 80)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
    ],
)
def test_addresses_are_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert parse_listen(text) == parse_upstream(text) == address


def test_port_0_is_any_free_port_to_listen_on_and_nowhere_to_connect_to() -> None:
    assert parse_listen("0") == ("127.0.0.1", 0)
    with pytest.raises(AddressError, match="expected a port from 1 to 65535, found 0 in 'db:0'"):
        parse_upstream("db:0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected PORT, HOST:PORT or [IPv6]:PORT, found ''"),
        ("localhost", "expected PORT, HOST:PORT or [IPv6]:PORT, found 'localhost'"),
        ("host:http", "found 'host:http'"),
        ("::1:80", "an IPv6 address goes in brackets, as in [::1]:8080"),
        (":80", "to listen on every interface write 0.0.0.0:80"),
        ("http://host", "without a scheme"),
        ("host:65536", "expected a port from 0 to 65535, found 65536 in 'host:65536'"),
        ("host:-1", "found 'host:-1'"),
        ("two words:80", "found 'two words:80'"),
    ],
)
def test_what_is_not_an_address_is_answered_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_listen(text)
    assert message in str(caught.value)


@given(st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True) | st.ip_addresses().map(str), st.integers(1, 65535))
def test_a_written_address_reads_as_the_same(host: str, port: int) -> None:
    assert parse_upstream(format_address((host, port))) == (host, port)


@given(st.text() | st.from_regex(r"\[?[0-9a-f:.]*\]?:\d*"))
@example("9" * 5000)
@example("²")
def test_no_text_raises_anything_but_an_address_error(text: str) -> None:
    for parse in (parse_listen, parse_upstream):
        port = 1
        try:
            _, port = parse(text)
        except AddressError as error:
            assert str(error).startswith("expected ")  # noqa: PT017 - either outcome is right
        assert 0 <= port <= 65535
