"""The netlink messages of sock_diag against bytes that Linux 6.18 really sent (x86-64)."""

import sys

import pytest

from harness.errors import SourceUnavailableError
from harness.rows import Endpoint, Timer
from harness.sources import inet_diag
from harness.states import TcpState

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the bytes were captured on x86-64")

V4 = Endpoint.of((("127.0.0.1", 60872), ("127.0.0.1", 41791)))
V6 = Endpoint.of((("::1", 58586), ("::1", 40983)))

ESTABLISHED_V4 = bytes.fromhex(
    "7c0000001400000007000000f63a000002010000edc8a33f7f0000010000000000000000000000007f00000100"
    "000000000000000000000000000000231000000000000000000000050000000000000000000000afe206000500"
    "08000000000008000f00000000000c00150001000000000000000600160052000000"
)
ESTABLISHED_V6 = bytes.fromhex(
    "7c0000001400000007000000f63a00000a010000e4daa017000000000000000000000000000000010000000000"
    "000000000000000000000100000000261000000000000000000000050000000000000000000000b2e206000500"
    "08000000000008000f00000000000c00150001000000000000000600160012000000"
)
TIME_WAIT = bytes.fromhex(
    "600000001400000009000000f63a000002060300edc8a33f7f0000010000000000000000000000007f00000100"
    "000000000000000000000000000000231000000000000060ea0000000000000000000000000000000000000800"
    "0f0000000000"
)
END_OF_DUMP = bytes.fromhex("140000000300020008000000f63a000000000000")
# A dump's answer: the listener's child with TCP_INFO attached (attribute 2).
WITH_TCP_INFO = bytes.fromhex(
    "980100001400020008000000f63a000002010000a33fedc87f0000010000000000000000000000007f00000100"
    "000000000000000000000000000000241000000000000000000000000000000000000000000000b0e206000500"
    "08000000000008000f00000000000c001500010000000000000006001600520000001c010200010000000007aa"
    "01e01c030000000000008000001802000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000ffff0000cbff00001000000008000000ffffff7f0b000000cbff00000b00000000000000cb"
    "ff000000000000f08660d30c000000ffffffffffffffff05000000000000000000000000000000010000000300"
    "000000000000090000000000000001000000388e03d90000000000000000000000000000000000000000000000"
    "000000000002000000000000000500000000000000000000000000000000000000000000000000000000000100"
    "000001000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000"
)
REQUEST = bytes.fromhex(
    "48000000140001000b0000000000000002060000ffffffffedc8a33f7f0000010000000000000000000000007f"
    "00000100000000000000000000000000000000ffffffffffffffff"
)
NO_SUCH_SOCKET = bytes.fromhex("2400000002000000070000000000000" + "0feffffff" + "0" * 32)


def test_a_request_for_one_endpoint_has_the_bytes_that_the_kernel_took() -> None:
    assert inet_diag.request_one(V4, 11) == REQUEST


def test_a_row_is_decoded_field_by_field() -> None:
    (row,) = inet_diag.parse(ESTABLISHED_V4, 7)
    assert row is not None
    assert row.endpoint == V4
    assert row.state is TcpState.ESTABLISHED
    assert row.inode == 0x6E2AF
    assert row.cookie == 0x1023
    assert (row.receive_queue, row.send_queue) == (5, 0)
    assert row.uid == 0
    assert row.timer is None
    assert row.silent_for is None


def test_an_ipv6_row_is_decoded() -> None:
    (row,) = inet_diag.parse(ESTABLISHED_V6, 7)
    assert row is not None
    assert row.endpoint == V6


def test_time_wait_has_no_inode_and_a_timer_in_seconds() -> None:
    (row,) = inet_diag.parse(TIME_WAIT, 9)
    assert row is not None
    assert row.state is TcpState.TIME_WAIT
    assert row.inode == 0
    assert not row.is_orphan
    assert row.timer == Timer("time-wait", 60.0, 0)


def test_tcp_info_tells_how_long_the_peer_has_been_silent() -> None:
    (row,) = inet_diag.parse(WITH_TCP_INFO, 8)
    assert row is not None
    assert row.silent_for == 0.0
    assert row.endpoint == V4.peer


def test_the_end_of_a_dump_is_told() -> None:
    assert list(inet_diag.parse(END_OF_DUMP, 8)) == [None]


def test_no_such_socket_is_an_end_without_rows() -> None:
    assert list(inet_diag.parse(NO_SUCH_SOCKET, 7)) == [None]


def test_answers_to_other_requests_are_skipped() -> None:
    assert list(inet_diag.parse(ESTABLISHED_V4 + END_OF_DUMP, 8)) == [None]


def test_an_error_of_the_kernel_is_told_with_what_to_do() -> None:
    not_supported = NO_SUCH_SOCKET.replace(b"\xfe\xff\xff\xff", (-95).to_bytes(4, "little", signed=True))
    with pytest.raises(SourceUnavailableError, match=r"expected rows, found .*another source"):
        list(inet_diag.parse(not_supported, 7))


def test_a_message_of_impossible_length_is_refused_and_not_read_for_ever() -> None:
    with pytest.raises(SourceUnavailableError, match="at least 16 bytes, found 3"):
        list(inet_diag.parse(b"\x03\0\0\0" + bytes(20), 0))
