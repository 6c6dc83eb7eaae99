"""The FIN ahead of its data: accepted out of order, and delivered in order after release."""

import hashlib
import os
import socket

import pytest

from finproxy.wire.tcp_info import KernelState, out_of_order, state
from finproxy.wire.technique import Keep, Sight
from tests.finproxy.wire.conftest import Bench, read_all
from tests.finproxy.wire.kernel import outlast_retries, wait_until


@pytest.mark.parametrize("nodelay", [0, 1], ids=["nagle", "nodelay"])
@pytest.mark.parametrize("pieces", [1, 5])
def test_the_fin_overtakes_and_nothing_is_lost(filter_bench: Bench, pieces: int, nodelay: int) -> None:
    listener = filter_bench.listener(Keep.DATA)
    peer = filter_bench.peer(listener)
    leg = filter_bench.accepted(listener)
    hold = filter_bench.hold(leg, Keep.DATA)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, nodelay)
    sent = [os.urandom(300) for _ in range(pieces)]
    for piece in sent:
        peer.sendall(piece)
    wait_until(lambda: hold.look() is Sight.KEPT_OUT)
    peer.shutdown(socket.SHUT_WR)

    wait_until(lambda: hold.look() is Sight.OVERTOOK)
    outlast_retries(peer)
    assert out_of_order(leg) > 0
    assert state(leg) is KernelState.ESTABLISHED
    assert state(peer) is KernelState.FIN_WAIT_1

    hold.release()
    assert hashlib.sha256(read_all(leg)).digest() == hashlib.sha256(b"".join(sent)).digest()
    wait_until(lambda: state(peer) is KernelState.FIN_WAIT_2)
    assert hold.look() is Sight.ACCEPTED


def test_data_without_a_fin_waits_until_release(filter_bench: Bench) -> None:
    listener = filter_bench.listener(Keep.DATA)
    peer = filter_bench.peer(listener)
    leg = filter_bench.accepted(listener)
    hold = filter_bench.hold(leg, Keep.DATA)

    peer.sendall(b"request")
    wait_until(lambda: hold.look() is Sight.KEPT_OUT)

    hold.release()
    assert leg.recv(100) == b"request"


def test_a_fin_with_no_data_before_it_has_nothing_to_overtake(filter_bench: Bench) -> None:
    listener = filter_bench.listener(Keep.DATA)
    peer = filter_bench.peer(listener)
    hold = filter_bench.hold(filter_bench.accepted(listener), Keep.DATA)

    peer.shutdown(socket.SHUT_WR)

    wait_until(lambda: hold.look() is Sight.ACCEPTED)


def test_data_behind_what_was_let_in_is_not_taken_for_a_fin(filter_bench: Bench) -> None:
    listener = filter_bench.listener(Keep.DATA)
    peer = filter_bench.peer(listener)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    leg = filter_bench.accepted(listener)
    hold = filter_bench.hold(leg, Keep.DATA)
    peer.sendall(b"kept out, ")
    wait_until(lambda: hold.look() is Sight.KEPT_OUT)

    hold.release()
    peer.sendall(b"and ahead of it")
    wait_until(lambda: out_of_order(leg) > 0)
    assert hold.look() is not Sight.OVERTOOK

    peer.shutdown(socket.SHUT_WR)
    assert read_all(leg) == b"kept out, and ahead of it"
