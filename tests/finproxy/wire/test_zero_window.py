"""What only zero-window has: it needs pending bytes, and says how many are missing."""

import socket
from collections.abc import Iterator

import pytest

from finproxy.wire.technique import Keep, Sight, WireError
from finproxy.wire.zero_window import ZeroWindow, ZeroWindowHold
from tests.finproxy.wire.conftest import Bench, bench_for
from tests.finproxy.wire.kernel import wait_until


@pytest.fixture
def zero_bench(family: int) -> Iterator[Bench]:
    with bench_for(ZeroWindow(), family) as made:
        yield made


def test_too_few_bytes_hold_nothing_and_the_hold_says_how_many_are_missing(zero_bench: Bench) -> None:
    peer, _, hold = zero_bench.leg()
    assert isinstance(hold, ZeroWindowHold)
    room = hold.missing()
    assert 0 < room < 64 * 1024

    peer.sendall(b"too few")
    assert hold.look() is Sight.NOTHING
    peer.shutdown(socket.SHUT_WR)

    wait_until(lambda: hold.look() is Sight.ACCEPTED)
    assert hold.missing() > 0


def test_a_shut_window_is_seen_but_a_fin_behind_it_is_not(zero_bench: Bench) -> None:
    _, _, hold = zero_bench.held()

    wait_until(lambda: hold.look() is Sight.WINDOW_SHUT)  # though no FIN was sent


def test_overtake_is_refused(zero_bench: Bench) -> None:
    with pytest.raises(WireError, match=r"the last in the queue.*--wire socket-filter"):
        zero_bench.listener(Keep.DATA)
