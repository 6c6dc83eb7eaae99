"""Each technique, on real sockets: the peer's states while its FIN is kept out, and every byte afterwards."""

import fcntl
import hashlib
import os
import socket
import struct
import termios

import pytest

from finproxy.wire.tcp_info import KernelState, state
from finproxy.wire.technique import Sight, WireHold
from tests.finproxy.wire.conftest import PENDING, Bench, fill, read_all
from tests.finproxy.wire.kernel import addresses, outlast_retries, table_state, wait_until

HELD = {Sight.KEPT_OUT, Sight.WINDOW_SHUT}
NO_LINGER = struct.pack("ii", 1, 0)
END = {"shutdown": lambda peer: peer.shutdown(socket.SHUT_WR), "close": socket.socket.close}


def kept(hold: WireHold) -> bool:
    return hold.look() in HELD


def test_the_peer_stays_in_fin_wait_1_through_its_own_retries_until_release(bench: Bench) -> None:
    peer, leg, hold = bench.held()
    assert hold.look() is not Sight.ACCEPTED

    peer.shutdown(socket.SHUT_WR)
    wait_until(lambda: kept(hold))
    outlast_retries(peer)

    assert state(peer) is KernelState.FIN_WAIT_1
    assert state(leg) is KernelState.ESTABLISHED

    hold.release()
    read_all(leg)
    wait_until(lambda: state(peer) is KernelState.FIN_WAIT_2)
    assert hold.look() is Sight.ACCEPTED


def test_our_fin_against_a_held_one_makes_closing(bench: Bench) -> None:
    peer, leg, hold = bench.held()
    peer.shutdown(socket.SHUT_WR)
    wait_until(lambda: kept(hold))

    leg.shutdown(socket.SHUT_WR)
    wait_until(lambda: state(peer) is KernelState.CLOSING)
    outlast_retries(peer)
    assert state(peer) is KernelState.CLOSING

    pair = addresses(peer)
    hold.release()
    read_all(leg)
    wait_until(lambda: table_state(bench.family, pair) is KernelState.TIME_WAIT)


def test_our_fin_before_a_held_one_makes_last_ack(bench: Bench) -> None:
    peer, leg, hold = bench.held()
    pair = addresses(peer)
    leg.shutdown(socket.SHUT_WR)
    wait_until(lambda: state(peer) is KernelState.CLOSE_WAIT)

    peer.shutdown(socket.SHUT_WR)
    assert state(peer) is KernelState.LAST_ACK
    outlast_retries(peer)
    assert state(peer) is KernelState.LAST_ACK
    assert kept(hold)

    peer.close()
    assert table_state(bench.family, pair) is KernelState.LAST_ACK
    hold.release()
    read_all(leg)
    wait_until(lambda: table_state(bench.family, pair) is None)


@pytest.mark.parametrize("ending", ["shutdown", "close"])
@pytest.mark.parametrize(
    ("before", "corked"),
    [(0, 0), (PENDING, 0), (0, 700), (PENDING, 700)],
    ids=["bare", "data-before", "data-in-the-segment", "both"],
)
def test_no_byte_is_lost(bench: Bench, before: int, corked: int, ending: str) -> None:
    if bench.technique.abilities.stops_reading and before == 0:
        pytest.skip("zero-window holds a FIN behind pending bytes only: test_too_few_bytes")
    peer, leg, hold = bench.leg()
    pair = addresses(peer)
    sent = os.urandom(before + corked)
    peer.sendall(sent[:before])
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # what follows leaves with the FIN
    peer.sendall(sent[before:])

    END[ending](peer)
    wait_until(lambda: kept(hold))
    assert table_state(bench.family, pair) is KernelState.FIN_WAIT_1
    assert state(leg) is KernelState.ESTABLISHED

    hold.release()
    assert hashlib.sha256(read_all(leg)).digest() == hashlib.sha256(sent).digest()
    wait_until(lambda: table_state(bench.family, pair) is not KernelState.FIN_WAIT_1)


def test_data_in_the_fins_own_segment_waits_with_it(bench: Bench) -> None:
    if bench.technique.abilities.stops_reading:
        pytest.skip("nobody reads while zero-window holds")
    peer, leg, hold = bench.leg()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    peer.sendall(b"last words")
    peer.close()
    wait_until(lambda: kept(hold))

    leg.setblocking(False)
    with pytest.raises(BlockingIOError):
        leg.recv(1)

    hold.release()
    assert read_all(leg) == b"last words"


def test_a_reset_comes_through_a_hold(bench: Bench) -> None:
    peer, leg, hold = bench.held()

    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    peer.close()

    wait_until(lambda: hold.look() is Sight.ENDED)
    assert_reset(leg)


def test_a_reset_comes_through_even_after_a_kept_out_fin(bench: Bench) -> None:
    peer, leg, hold = bench.held()
    peer.shutdown(socket.SHUT_WR)
    wait_until(lambda: kept(hold))

    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    peer.close()

    wait_until(lambda: hold.look() is Sight.ENDED)
    assert_reset(leg)


def test_acks_come_through_a_hold(bench: Bench) -> None:
    peer, leg, hold = bench.held()
    peer.shutdown(socket.SHUT_WR)
    wait_until(lambda: kept(hold))

    answer = os.urandom(PENDING)
    leg.settimeout(10)
    leg.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * PENDING)
    leg.sendall(answer)

    assert _received(peer, len(answer)) == answer
    wait_until(lambda: unacknowledged(leg) == 0)
    assert kept(hold)


def test_a_fin_that_came_before_accept_is_kept_out_too(bench: Bench) -> None:
    listener = bench.listener()
    peer = bench.peer(listener)
    if bench.technique.abilities.stops_reading:
        fill(peer)
    peer.shutdown(socket.SHUT_WR)
    outlast_retries(peer)

    leg = bench.accepted(listener)
    hold = bench.hold(leg)

    assert kept(hold)
    assert state(peer) is KernelState.FIN_WAIT_1
    hold.release()
    read_all(leg)
    wait_until(lambda: state(peer) is KernelState.FIN_WAIT_2)


def test_a_leg_that_connects_is_prepared_before(bench: Bench) -> None:
    server = bench.listener(keep=None)
    leg = bench.stack.enter_context(socket.socket(bench.family))
    bench.technique.prepare(leg)
    leg.connect(server.getsockname()[:2])
    peer = bench.accepted(server)
    if bench.technique.abilities.stops_reading:
        fill(peer)
    peer.shutdown(socket.SHUT_WR)
    outlast_retries(peer)

    hold = bench.hold(leg)

    assert kept(hold)
    assert state(peer) is KernelState.FIN_WAIT_1


def test_a_leg_reset_before_accept_has_ended(bench: Bench) -> None:
    listener = bench.listener()
    peer = bench.peer(listener)
    peer.shutdown(socket.SHUT_WR)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    peer.close()

    hold = bench.hold(bench.accepted(listener))

    wait_until(lambda: hold.look() is Sight.ENDED)
    hold.release()


def test_a_released_leg_is_no_longer_touched(bench: Bench) -> None:
    peer, leg, hold = bench.leg()
    hold.release()
    hold.release()

    peer.sendall(b"all")
    peer.shutdown(socket.SHUT_WR)

    assert read_all(leg) == b"all"
    assert hold.look() is Sight.ACCEPTED


def test_a_leg_can_be_armed_again(bench: Bench) -> None:
    peer, leg, hold = bench.leg()
    hold.release()
    peer.sendall(b"request")
    assert leg.recv(100) == b"request"

    hold.arm()
    assert hold.look() is Sight.NOTHING
    if bench.technique.abilities.stops_reading:
        fill(peer)
    peer.shutdown(socket.SHUT_WR)
    wait_until(lambda: kept(hold))

    assert state(peer) is KernelState.FIN_WAIT_1


def test_closing_the_hold_after_eof_acknowledges_at_once(bench: Bench) -> None:
    """Otherwise the kernel may delay the ACK, and the peer is seen in FIN-WAIT-1 though nothing holds it."""
    peer, leg, hold = bench.held()
    peer.shutdown(socket.SHUT_WR)
    wait_until(lambda: kept(hold))
    hold.release()
    read_all(leg)

    hold.close()

    assert state(peer) is KernelState.FIN_WAIT_2


def test_a_hold_may_be_closed_after_its_legs_fd(bench: Bench) -> None:
    """A session that fails may have released the fd already."""
    peer, leg, hold = bench.held()
    pair = addresses(peer)
    peer.shutdown(socket.SHUT_WR)
    wait_until(lambda: kept(hold))

    leg.close()
    hold.close()

    wait_until(lambda: table_state(bench.family, pair) is not KernelState.FIN_WAIT_1)


def test_close_releases_and_may_be_repeated(bench: Bench) -> None:
    peer, leg, hold = bench.held()
    peer.shutdown(socket.SHUT_WR)
    wait_until(lambda: kept(hold))

    hold.close()
    hold.close()

    read_all(leg)
    wait_until(lambda: state(peer) is KernelState.FIN_WAIT_2)


def test_many_legs_are_held_at_once(bench: Bench) -> None:
    listener = bench.listener()
    held = []
    for _ in range(100):
        peer = bench.peer(listener)
        leg = bench.accepted(listener)
        held.append((peer, leg, bench.hold(leg)))
        if bench.technique.abilities.stops_reading:
            fill(peer)
        peer.shutdown(socket.SHUT_WR)
    wait_until(lambda: all(kept(hold) for _, _, hold in held))
    assert {state(peer) for peer, _, _ in held} == {KernelState.FIN_WAIT_1}

    for _, _, hold in held:
        hold.release()
    for _, leg, _ in held:
        read_all(leg)
    wait_until(lambda: {state(peer) for peer, _, _ in held} == {KernelState.FIN_WAIT_2})


def assert_reset(leg: socket.socket) -> None:
    """Read what came before, then meet the reset."""
    with pytest.raises(ConnectionResetError):
        read_all(leg)


def unacknowledged(leg: socket.socket) -> int:
    answer = fcntl.ioctl(leg.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("=i", answer)[0])


def _received(peer: socket.socket, count: int) -> bytes:
    peer.settimeout(10)
    got = b""
    while len(got) < count:
        got += peer.recv(count - len(got))
    return got
