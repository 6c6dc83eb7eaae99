"""One set of checks for fake legs, socket legs under epoll, and socket legs under Trio's own waits.

The fakes are verified by it, and the portable fallback is held to what the fast path does.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from finproxy import sockets
from finproxy.legs import Ending, FlowEnd, Leg, LegIO
from finproxy.notation import parse_rule
from finproxy.observers import Recorder
from finproxy.readiness import EpollReadiness, Readiness, TrioReadiness
from finproxy.records import Record
from finproxy.rulebook import InPlay, RuleBook
from finproxy.session import Session
from finproxy.shell import Surroundings
from finproxy.testing import FakeEndpoint, FakeReadiness, fake_connection
from finproxy.timers import Timers

KINDS = ["fake", "epoll", "trio"]
SMALL = 8 * 1024
"""Room in each buffer: small, so that flows are blocked often."""


class SocketEndpoint:
    """What `FakeEndpoint` does and sees, on a real socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._stdlib = sock
        self._socket = trio.socket.from_stdlib_socket(sock)

    async def send(self, data: bytes) -> None:
        while data:
            data = data[await self._socket.send(data) :]

    async def send_fin(self) -> None:
        self._stdlib.shutdown(socket.SHUT_WR)

    async def reset(self) -> None:
        self._stdlib.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def receive(self, most: int = 65536) -> bytes | FlowEnd:
        try:
            return await self._socket.recv(most) or FlowEnd.FIN
        except ConnectionResetError:
            return FlowEnd.RESET

    async def wait_reset(self) -> None:
        with select.epoll() as only_errors:
            only_errors.register(self._stdlib.fileno(), 0)
            await trio.lowlevel.wait_readable(only_errors.fileno())

    def close(self) -> None:
        self._socket.close()


Endpoint = FakeEndpoint | SocketEndpoint


@dataclass
class Setup:
    client: Endpoint
    server: Endpoint
    session: Session
    over: trio.Event

    async def ending(self) -> Ending:
        await self.over.wait()
        assert self.session.ending
        return self.session.ending


def _socket_connection() -> tuple[SocketEndpoint, LegIO]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        far = socket.socket()
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            far.setsockopt(socket.SOL_SOCKET, option, SMALL)
        far.connect(listener.getsockname())
        near, _ = listener.accept()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    return SocketEndpoint(far), sockets.as_leg(near)


def _connections(kind: str) -> tuple[Readiness, list[tuple[Endpoint, LegIO]]]:
    if kind == "fake":
        fake = FakeReadiness()
        return fake, [fake_connection(fd, fake, room=SMALL, window=SMALL) for fd in (1, 2)]
    readiness: Readiness = EpollReadiness() if kind == "epoll" else TrioReadiness()
    return readiness, [_socket_connection() for _ in range(2)]


@asynccontextmanager
async def _session(kind: str, rules: Sequence[str]) -> AsyncIterator[Setup]:
    readiness, [(client, client_leg), (server, server_leg)] = _connections(kind)
    happened = {event: trio.Event() for event in ("session.opened", "session.closed")}
    timers = Timers()

    def observe(record: Record) -> None:
        if record.event in happened:
            happened[record.event].set()

    book = RuleBook(InPlay(parse_rule(rule)) for rule in rules)
    session = Session(
        1,
        {Leg.CLIENT: client_leg, Leg.SERVER: server_leg},
        book,
        Surroundings(readiness, timers, Recorder([observe])),
    )
    async with trio.open_nursery() as nursery:
        for task in (readiness.run, timers.run):
            nursery.start_soon(task)
        session.open()
        with trio.fail_after(5):
            await happened["session.opened"].wait()
            yield Setup(client, server, session, happened["session.closed"])
        session.abort("the check is over")
        nursery.cancel_scope.cancel()
    for endpoint in (client, server):
        if isinstance(endpoint, SocketEndpoint):
            endpoint.close()


Check = Callable[[Setup], Awaitable[None]]


def run(kind: str, check: Check, *rules: str) -> None:
    async def main() -> None:
        async with _session(kind, rules) as setup:
            await check(setup)

    trio.run(main, clock=MockClock(autojump_threshold=0) if kind == "fake" else None)


async def receive_exactly(endpoint: Endpoint, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        got = await endpoint.receive(count - len(data))
        assert isinstance(got, bytes), f"{got} after {len(data)} of {count} bytes"
        data += got
    return bytes(data)


async def receive_to_end(endpoint: Endpoint, most: int = 65536) -> tuple[bytes, FlowEnd]:
    data = bytearray()
    while isinstance(got := await endpoint.receive(most), bytes):
        data += got
    return bytes(data), got


def numbered(count: int) -> bytes:
    """Bytes of which none can be lost, doubled or moved without its being seen."""
    return b"".join(struct.pack(">I", number) for number in range(count // 4 + 1))[:count]


kinds = pytest.mark.parametrize("kind", KINDS)
both_ways = pytest.mark.parametrize("source", ["client", "server"])


def ends(setup: Setup, source: str) -> tuple[Endpoint, Endpoint]:
    return (setup.client, setup.server) if source == "client" else (setup.server, setup.client)


@kinds
@both_ways
def test_bytes_arrive_in_order_and_the_fin_after_the_last(kind: str, source: str) -> None:
    async def check(setup: Setup) -> None:
        near, far = ends(setup, source)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.send, numbered(300_000))
            assert await receive_exactly(far, 300_000) == numbered(300_000)
        await near.send(b"end")
        await near.send_fin()
        assert await receive_to_end(far) == (b"end", FlowEnd.FIN)

    run(kind, check)


@kinds
@both_ways
def test_a_half_closed_session_still_answers_and_ends_without_loss(kind: str, source: str) -> None:
    async def check(setup: Setup) -> None:
        near, far = ends(setup, source)
        await near.send(b"request")
        await near.send_fin()
        assert await receive_to_end(far) == (b"request", FlowEnd.FIN)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(far.send, numbered(200_000))
            assert await receive_exactly(near, 200_000) == numbered(200_000)
        await far.send_fin()
        assert await receive_to_end(near) == (b"", FlowEnd.FIN)
        ending = await setup.ending()
        assert (ending.closed_first, ending.lost) == (Leg(source), 0)
        assert ending.client.ended is ending.server.ended is FlowEnd.FIN

    run(kind, check)


@kinds
@both_ways
def test_a_reset_arrives_as_a_reset_after_the_bytes_before_it(kind: str, source: str) -> None:
    async def check(setup: Setup) -> None:
        near, far = ends(setup, source)
        await near.send(b"before")
        assert await receive_exactly(far, 6) == b"before"
        await near.reset()
        assert await receive_to_end(far) == (b"", FlowEnd.RESET)
        ending = await setup.ending()
        assert (ending.flow(Leg(source)).ended, ending.lost) == (FlowEnd.RESET, 0)

    run(kind, check)


# Under Trio's own waits nothing tells of a RST that follows a FIN: after EOF there is nothing to wait for.
@pytest.mark.parametrize("kind", ["fake", "epoll"])
@both_ways
def test_a_reset_after_a_fin_arrives_too(kind: str, source: str) -> None:
    async def check(setup: Setup) -> None:
        near, far = ends(setup, source)
        await near.send_fin()
        assert await far.receive() is FlowEnd.FIN
        await near.reset()
        await far.wait_reset()
        assert (await setup.ending()).flow(Leg(source)).ended is FlowEnd.RESET

    run(kind, check)


@kinds
@both_ways
def test_a_reader_that_stops_makes_the_writer_stop_until_it_reads_on(kind: str, source: str) -> None:
    total, most_under_way = 2_000_000, 600_000

    async def check(setup: Setup) -> None:
        near, far = ends(setup, source)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.send, numbered(total))
            for got in (0, 1_000_000):
                await receive_exactly(far, got)
                await trio.testing.wait_all_tasks_blocked(0.01)  # nobody can move until somebody reads
                assert got <= setup.session.bytes_from(Leg(source)) < got + most_under_way
            assert await receive_exactly(far, total - got) == numbered(total)[got:]

    run(kind, check)


@kinds
@pytest.mark.parametrize("mark", [1, 1000, 100_000])
def test_a_byte_mark_is_exact_and_what_follows_is_counted_as_lost(kind: str, mark: int) -> None:
    async def check(setup: Setup) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(setup.client.send, numbered(150_000))
            assert await receive_to_end(setup.server) == (numbered(mark), FlowEnd.FIN)
        await setup.client.send_fin()
        await setup.server.send_fin()
        ending = await setup.ending()
        assert (ending.client.bytes, ending.lost) == (150_000, 150_000 - mark)

    run(kind, check, f"client.bytes {mark} -> fin")


@kinds
@pytest.mark.parametrize("cut", [1, 5000, 200_000])
def test_truncate_takes_the_newest_bytes_and_no_others(kind: str, cut: int) -> None:
    async def check(setup: Setup) -> None:
        async def send() -> None:
            await setup.client.send(numbered(150_000))
            await setup.client.send_fin()

        left = max(0, 150_000 - cut)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            assert await receive_to_end(setup.server) == (numbered(150_000)[:left], FlowEnd.FIN)
        await setup.server.send_fin()
        assert (await setup.ending()).lost == 150_000 - left

    run(kind, check, f"client.fin -> truncate {cut}")


@kinds
def test_bytes_kept_back_in_vain_are_sent_before_the_fin(kind: str) -> None:
    async def check(setup: Setup) -> None:
        await setup.client.send(b"0123456789")
        assert await receive_exactly(setup.server, 6) == b"012345"
        await setup.client.send_fin()
        assert await receive_to_end(setup.server) == (b"6789", FlowEnd.FIN)

    run(kind, check, "client.reset -> truncate 4")


@kinds
def test_an_aborted_session_leaves_neither_side_waiting(kind: str) -> None:
    async def check(setup: Setup) -> None:
        setup.session.abort("enough")
        assert await setup.client.receive() is FlowEnd.RESET
        assert await setup.server.receive() is FlowEnd.RESET

    run(kind, check)


@kinds
@settings(max_examples=15)
@given(
    chunks=st.lists(st.integers(1, 20_000), max_size=12),
    read=st.sampled_from([1_000, 7_777, 65_536]),
    rule=st.sampled_from(
        [None, "client.bytes 5000 -> fin", "client.fin -> truncate 3000", "client.fin -> delay 1ms"]
    ),
)
def test_whatever_the_chunks_what_came_was_passed_on_or_lost(
    kind: str, chunks: list[int], read: int, rule: str | None
) -> None:
    sent = numbered(sum(chunks))

    async def check(setup: Setup) -> None:
        async def send() -> None:
            rest = sent
            for chunk in chunks:
                await setup.client.send(rest[:chunk])
                rest = rest[chunk:]
            await setup.client.send_fin()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            got, end = await receive_to_end(setup.server, read)
        assert end is FlowEnd.FIN
        assert sent.startswith(got)
        await setup.server.send_fin()
        assert await receive_to_end(setup.client) == (b"", FlowEnd.FIN)
        ending = await setup.ending()
        assert ending.client.bytes == len(sent)
        assert ending.client.bytes == len(got) + ending.lost

    run(kind, check, *([rule] if rule else []))
