from dataclasses import dataclass

import pytest

from harness.errors import UsageError
from harness.rows import Address, Endpoint, SocketRow
from harness.states import TcpState

NEAR, FAR = ("127.0.0.1", 5000), ("127.0.0.1", 80)


@dataclass(frozen=True)
class LegLike:
    local: tuple[str, int]
    remote: tuple[str, int]


def test_an_endpoint_is_made_of_whatever_has_two_addresses() -> None:
    expected = Endpoint(Address(*NEAR), Address(*FAR))

    assert Endpoint.of((NEAR, FAR)) == expected
    assert Endpoint.of(LegLike(NEAR, FAR)) == expected
    assert Endpoint.of(expected) is expected


def test_a_v4_mapped_address_equals_the_v4_one() -> None:
    mapped = Endpoint.of((("::ffff:127.0.0.1", 80, 0, 0), ("::FFFF:7f00:1", 5000, 0, 0)))
    assert mapped == Endpoint.of((FAR, NEAR))


def test_spellings_of_one_ipv6_address_are_equal_and_scopes_are_dropped() -> None:
    assert Address.of(("fe80:0::1%eth0", 1, 0, 2)) == Address("fe80::1", 1)


def test_the_peer_is_the_same_connection_from_the_other_end() -> None:
    endpoint = Endpoint.of((NEAR, FAR))
    assert endpoint.peer.local == endpoint.remote
    assert endpoint.peer.peer == endpoint


def test_an_address_prints_as_people_write_it() -> None:
    assert str(Address("::1", 80)) == "[::1]:80"
    assert str(Endpoint.of((NEAR, FAR))) == "127.0.0.1:5000 > 127.0.0.1:80"


@pytest.mark.parametrize("raw", ["127.0.0.1:80", (("localhost", 80), FAR), ((NEAR,), FAR), (NEAR, FAR, FAR)])
def test_what_is_no_endpoint_is_refused_with_what_to_give(raw: object) -> None:
    with pytest.raises(UsageError, match=r"expected an (endpoint|address).*found.*give"):
        Endpoint.of(raw)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "inode", "is_orphan"),
    [
        (TcpState.FIN_WAIT_1, 0, True),
        (TcpState.FIN_WAIT_1, 99, False),
        (TcpState.FIN_WAIT_1, None, False),
        (TcpState.TIME_WAIT, 0, False),
    ],
)
def test_an_orphan_is_a_socket_without_inode_but_not_time_wait(
    state: TcpState, inode: int | None, is_orphan: bool
) -> None:
    row = SocketRow(Endpoint.of((NEAR, FAR)), state, "test", inode=inode)
    assert row.is_orphan is is_orphan
