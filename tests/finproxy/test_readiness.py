from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
import trio
import trio.testing

from finproxy.readiness import (
    FAILED,
    HUNG_UP,
    READABLE,
    WRITABLE,
    EpollReadiness,
    Readiness,
    TrioReadiness,
    best_readiness,
)
from finproxy.testing import FakeReadiness

waits = pytest.mark.parametrize("make", [EpollReadiness, TrioReadiness])


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, two = socket.socketpair()
    with one, two:
        one.setblocking(False)
        yield one, two


class Calls:
    """What a watched socket was reported to be ready for."""

    def __init__(self, wanted: int = READABLE) -> None:
        self.bits: list[int] = []
        self.wanted = wanted
        self.called = trio.Event()

    def __call__(self, bits: int) -> None:
        self.bits.append(bits)
        self.wanted = 0
        self.called.set()

    def wants(self) -> int:
        return self.wanted


@waits
async def test_a_socket_that_can_be_read_is_reported(
    make: Callable[[], Readiness], pair: tuple[socket.socket, socket.socket], nursery: trio.Nursery
) -> None:
    readiness, calls = make(), Calls()
    readiness.watch(pair[0].fileno(), calls, calls.wants)
    nursery.start_soon(readiness.run)
    pair[1].send(b"x")
    with trio.fail_after(5):
        while not any(bits & READABLE for bits in calls.bits):
            await calls.called.wait()
            calls.called = trio.Event()
    readiness.forget(pair[0].fileno())


async def test_sockets_that_are_always_ready_leave_others_their_turn(
    pair: tuple[socket.socket, socket.socket], nursery: trio.Nursery
) -> None:
    readiness, calls = EpollReadiness(), 0

    def again(_bits: int) -> None:
        nonlocal calls
        calls += 1
        pair[0].recv(1)
        if calls < 1_000_000:
            pair[1].send(b"x")  # an edge for the next poll

    readiness.watch(pair[0].fileno(), again, lambda: READABLE)
    nursery.start_soon(readiness.run)
    pair[1].send(b"x")
    while calls < 100:
        await trio.lowlevel.checkpoint()

    assert calls < 1_000_000


@waits
async def test_what_was_forgotten_is_not_reported(
    make: Callable[[], Readiness], pair: tuple[socket.socket, socket.socket], nursery: trio.Nursery
) -> None:
    readiness, calls = make(), Calls()
    readiness.watch(pair[0].fileno(), calls, calls.wants)
    readiness.forget(pair[0].fileno())
    nursery.start_soon(readiness.run)
    pair[1].send(b"x")
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert calls.bits == []


@waits
async def test_work_for_the_next_turn_is_done_in_order(
    make: Callable[[], Readiness], nursery: trio.Nursery
) -> None:
    readiness, done, finished = make(), list[int](), trio.Event()
    for number in range(3):
        readiness.soon(lambda number=number: done.append(number))  # type: ignore[misc]
    readiness.soon(finished.set)
    nursery.start_soon(readiness.run)
    with trio.fail_after(5):
        await finished.wait()
    assert done == [0, 1, 2]


async def test_a_socket_given_up_before_its_wait_began_does_no_harm(
    pair: tuple[socket.socket, socket.socket], nursery: trio.Nursery
) -> None:
    readiness, calls = TrioReadiness(), Calls()
    fd = pair[0].fileno()
    readiness.watch(fd, calls, calls.wants)
    readiness.soon(lambda: readiness.forget(fd))  # in the turn in which the task of the wait is started
    nursery.start_soon(readiness.run)
    await trio.testing.wait_all_tasks_blocked()
    assert calls.bits == []


async def test_trio_waits_for_what_is_wanted_once_told_that_it_changed(
    pair: tuple[socket.socket, socket.socket], nursery: trio.Nursery
) -> None:
    readiness, calls = TrioReadiness(), Calls(wanted=0)
    fd = pair[0].fileno()
    readiness.watch(fd, calls, calls.wants)
    nursery.start_soon(readiness.run)
    await trio.testing.wait_all_tasks_blocked(0.01)
    before = list(calls.bits)
    calls.wanted = WRITABLE
    readiness.wants_changed(fd)
    with trio.fail_after(5):
        await calls.called.wait()
    assert (before, calls.bits) == ([], [WRITABLE])
    readiness.forget(fd)


async def test_the_fake_reports_changes_in_the_order_in_which_they_came(nursery: trio.Nursery) -> None:
    readiness, seen = FakeReadiness(), list[tuple[int, int]]()
    for fd in (1, 2):
        readiness.watch(fd, lambda bits, fd=fd: seen.append((fd, bits)), lambda: 0)  # type: ignore[misc]
    nursery.start_soon(readiness.run)
    await trio.testing.wait_all_tasks_blocked()
    readiness.report(2, READABLE)
    readiness.report(1, FAILED)
    readiness.report(2, WRITABLE)
    await trio.testing.wait_all_tasks_blocked()
    at_the_start = [(fd, READABLE | WRITABLE | HUNG_UP) for fd in (1, 2)]
    assert seen == [*at_the_start, (2, READABLE | WRITABLE), (1, FAILED)]


async def test_the_best_wait_here_keeps_its_promise_to_see_a_reset_after_a_fin() -> None:
    assert isinstance(best_readiness(), EpollReadiness)
