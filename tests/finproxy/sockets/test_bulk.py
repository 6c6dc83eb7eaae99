"""Bulk in both directions at once, over each of the two waits: whole, in order, exact to the byte.

Readers stall until their senders cannot send any more, so that every buffer on the way has been full.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from unittest.mock import patch

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finproxy import opening, relay
from finproxy.readiness import EpollReadiness, Readiness, TrioReadiness
from finproxy.toxics import Latency, Slicer, Toxic
from tests.support.peers import Peer
from tests.support.stage import Stage, both_ways, stage
from tests.support.stalling import Standstill, receive_stalling, send_pieces

MIB = 1024 * 1024
EDGES = [1, 65_536, MIB - 1, MIB, MIB + 1, 3 * MIB + 7]
"""Byte counts around what one read can hold."""

_sizes = st.lists(st.integers(1, 2 * MIB), min_size=1, max_size=6)


@pytest.fixture(params=[EpollReadiness, TrioReadiness])
def each_wait(request: pytest.FixtureRequest) -> Iterator[None]:
    """The proxy's wait: epoll, or Trio's own for systems without one."""
    make: Callable[[], Readiness] = request.param
    with patch.object(opening, "best_readiness", make):
        yield


@dataclass(frozen=True)
class Plan:
    """What one endpoint sends, and how the other one reads it."""

    seed: int
    size: int
    sends: list[int]
    """Sizes of the pieces, over and over."""
    reads: list[int]
    stall_every: int
    """Bytes after which the reader waits until the sender stands still."""

    @property
    def data(self) -> bytes:
        return random.Random(self.seed).randbytes(self.size)

    def pieces(self) -> Iterator[memoryview]:
        sizes, left = cycle(self.sends), memoryview(self.data)
        while left:
            size = next(sizes)
            yield left[:size]
            left = left[size:]


_plans = st.builds(
    Plan,
    st.integers(0),
    st.integers(0, 2 * MIB) | st.integers(8 * MIB, 12 * MIB),
    _sizes,
    _sizes,
    st.integers(MIB // 2, 4 * MIB),
)


async def exchange(s: Stage, client: Plan, server: Plan) -> None:
    """Both at once; what arrives is what was sent, and the proxy has counted it."""
    digests: dict[str, str] = {}

    async def flow(name: str, source: Peer, sink: Peer, plan: Plan) -> None:
        standstill = Standstill()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_pieces, source, plan.pieces(), standstill)
            digests[name] = await receive_stalling(
                sink, cycle(plan.reads), standstill, stall_every=plan.stall_every
            )

    async with trio.open_nursery() as nursery:
        nursery.start_soon(flow, "client", s.client, s.server, client)
        nursery.start_soon(flow, "server", s.server, s.client, server)
    plans = {"client": client, "server": server}
    assert digests == {name: hashlib.sha256(plan.data).hexdigest() for name, plan in plans.items()}
    ending = await s.ending()
    assert ending["bytes"] == {name: plan.size for name, plan in plans.items()}
    assert ending["lost"] == 0


@pytest.mark.usefixtures("each_wait")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(client=_plans, server=_plans)
def test_any_chunks_and_stalls(client: Plan, server: Plan) -> None:
    async def run() -> None:
        async with stage() as s:
            await exchange(s, client, server)

    trio.run(run)


@pytest.mark.usefixtures("each_wait")
@pytest.mark.parametrize("count", EDGES)
@both_ways
async def test_a_rule_fires_at_its_byte_in_the_middle_of_bulk(near: str, count: int) -> None:
    total = 8 * MIB
    data = random.Random(count).randbytes(total)
    async with stage(f"{{near}}.bytes {count} -> fin", near=near) as s:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(s.near.send, data)
            got = await s.far.read_until_eof()
        assert hashlib.sha256(got).digest() == hashlib.sha256(data[:count]).digest()
        s.far.fin()
        assert await s.near.read_until_eof() == b""
        s.near.fin()
        ending = await s.ending()
    assert ending["bytes"][near] == total
    assert await s.losses() == [(near, total - count, s.rule)]


@pytest.mark.usefixtures("each_wait")
@pytest.mark.parametrize("chunks_a_turn", [1, 4])
@both_ways
async def test_rules_and_toxics_that_come_and_go_lose_and_reorder_nothing(
    near: str, chunks_a_turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_CHUNKS_A_TURN", chunks_a_turn)
    data = random.Random(near).randbytes(16 * MIB)
    direction = "upstream" if near == "client" else "downstream"
    sliced = Toxic("slices", direction, Slicer(30_000, 10_000))
    late = Toxic("late", direction, Latency(20))
    async with stage(near=near) as s, trio.open_nursery() as nursery:
        nursery.start_soon(s.near.send, data)
        got = bytearray()
        for toxics in ([sliced], [sliced, late], [late], []):
            got += await s.far.receive(3 * MIB)
            await s.proxy.set_toxics(toxics)
        reached = len(got) + 2 * MIB
        await s.proxy.set_rules([f"{near}.bytes {reached} -> hold 10ms"])
        got += await s.far.receive(len(data) - len(got))
        s.near.fin()
        assert await s.far.read_until_eof() == b""
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
