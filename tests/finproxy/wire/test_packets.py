"""Reading the addresses of a packet: what is well formed, and that nothing else can do harm."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finproxy.wire.packets import canonical, parse

PORTS = st.integers(0, 65535)


def _tcp(source: int, destination: int) -> bytes:
    return struct.pack("!HHIIBBHHH", source, destination, 1, 2, 5 << 4, 0x11, 0, 0, 0)


@given(st.ip_addresses(v=4), PORTS, st.ip_addresses(v=4), PORTS, st.integers(0, 10))
def test_ipv4(
    source: ipaddress.IPv4Address, port: int, to: ipaddress.IPv4Address, to_port: int, options: int
) -> None:
    head = bytes([0x45 + options]) + bytes(8) + b"\x06" + bytes(2)
    packet = head + source.packed + to.packed + bytes(4 * options) + _tcp(port, to_port)

    assert parse(packet) == ((str(source), port), (str(to), to_port))


@given(st.ip_addresses(v=6), PORTS, st.ip_addresses(v=6), PORTS)
def test_ipv6(source: ipaddress.IPv6Address, port: int, to: ipaddress.IPv6Address, to_port: int) -> None:
    packet = b"\x60" + bytes(5) + b"\x06\x40" + source.packed + to.packed + _tcp(port, to_port)

    assert parse(packet) == ((str(source), port), (str(to), to_port))


@given(st.binary(max_size=80))
def test_no_packet_is_an_error(packet: bytes) -> None:
    parse(packet)


def test_what_is_not_tcp_is_not_read() -> None:
    udp = b"\x45" + bytes(8) + b"\x11" + bytes(30)

    assert parse(udp) is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", 80)),
        (("::ffff:127.0.0.1", 80, 0, 0), ("127.0.0.1", 80)),
        (("fe80::1%eth0", 80, 0, 2), ("fe80::1", 80)),
        (("0:0::1", 80, 0, 0), ("::1", 80)),
    ],
)
def test_a_sockets_address_is_spelled_as_in_a_packet(
    address: tuple[str, int] | tuple[str, int, int, int], expected: tuple[str, int]
) -> None:
    assert canonical(address) == expected
