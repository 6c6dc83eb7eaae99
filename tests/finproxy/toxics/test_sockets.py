"""Each toxic on real sockets, under epoll and under Trio's own waits: bytes, ends, and no sooner than asked.

That nothing comes later than asked is for the fakes to show (test_kinds.py), and for the benchmark.
"""

from __future__ import annotations

import select
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from finproxy.readiness import EpollReadiness, Readiness, TrioReadiness
from finproxy.toxics import (
    Bandwidth,
    Fin,
    Latency,
    LimitData,
    Noop,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
    Toxic,
    ToxicError,
)
from finproxy.toxics.values import Attributes
from tests.support.peers import patience
from tests.support.stage import Stage, both_ways, stage

waits = pytest.mark.parametrize(
    "wait",
    [
        pytest.param(
            EpollReadiness, marks=pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll here")
        ),
        TrioReadiness,
    ],
)
Wait = Callable[[], Readiness]


def of(near: str, attributes: Attributes, name: str = "toxic", toxicity: float = 1.0) -> Toxic:
    """A toxic in what the near endpoint sends."""
    return Toxic(name, "upstream" if near == "client" else "downstream", attributes, toxicity)


@asynccontextmanager
async def afflicted(near: str, wait: Wait, *attributes: Attributes) -> AsyncIterator[Stage]:
    """A session with these toxics in what the near endpoint sends."""
    toxics = [of(near, each, f"toxic{number}") for number, each in enumerate(attributes)]
    async with stage(near=near, toxics=toxics, readiness=wait()) as s:
        yield s


@both_ways
@waits
async def test_latency(near: str, wait: Wait) -> None:
    async with afflicted(near, wait, Latency(latency=60)) as s:
        start = trio.current_time()
        await s.near.send(b"ping")
        s.near.fin()
        assert await s.far.receive(4) == b"ping"
        assert trio.current_time() - start >= 0.06
        assert await s.far.read_until_eof() == b""
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0


@both_ways
@waits
async def test_bandwidth(near: str, wait: Wait) -> None:
    async with afflicted(near, wait, Bandwidth(rate=500)) as s:
        start = trio.current_time()
        await s.near.send(bytes(50_000))
        s.near.fin()
        assert len(await s.far.read_until_eof()) == 50_000
        assert trio.current_time() - start >= 0.1
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0


@both_ways
@waits
async def test_slicer(near: str, wait: Wait) -> None:
    async with afflicted(near, wait, Slicer(average_size=10, size_variation=5, delay=1000)) as s:
        start = trio.current_time()
        await s.near.send(bytes(range(200)))
        s.near.fin()
        assert await s.far.read_until_eof() == bytes(range(200))
        assert trio.current_time() - start >= 0.012  # 200 bytes are 14 pieces at the least
        await s.finish_politely()


@both_ways
@waits
async def test_slow_close(near: str, wait: Wait) -> None:
    async with afflicted(near, wait, SlowClose(delay=60)) as s:
        await s.near.send(b"ping")
        s.near.fin()
        assert await s.far.read_until_eof() == b"ping"
        await s.finish_politely()
        assert (await s.ending())["kept"][near] >= 0.06


@both_ways
@waits
async def test_slow_close_keeps_a_reset_a_reset(near: str, wait: Wait) -> None:
    async with afflicted(near, wait, SlowClose(delay=60)) as s:
        await s.near.send(b"ping")
        assert await s.far.receive(4) == b"ping"
        s.near.rst()
        assert await s.far.read_until_reset() == b""
        assert (await s.ending())["kept"][near] >= 0.06


@both_ways
@waits
async def test_timeout(near: str, wait: Wait) -> None:
    async with afflicted(near, wait, Timeout(timeout=60)) as s:
        await s.near.send(b"ping")
        assert await s.far.read_until_eof() == b""
        assert await s.near.read_until_eof() == b""
        assert s.story.find("rule.fired")[0].fields["rule"] == "toxic0"
        s.near.fin()
        s.far.fin()
        assert await s.losses() == [(near, 4, "toxic0")]


@both_ways
@waits
async def test_reset_peer_of_an_idle_session(near: str, wait: Wait) -> None:
    async with afflicted(near, wait, ResetPeer(timeout=60)) as s:
        assert await s.far.read_until_reset() == b""
        assert await s.near.read_until_reset() == b""
        assert (await s.closed()).t >= 0.06


@both_ways
@waits
async def test_reset_peer_of_a_live_session(near: str, wait: Wait) -> None:
    async with stage(near=near, readiness=wait()) as s:
        await s.near.send(b"before")
        assert await s.far.receive(6) == b"before"
        await s.proxy.set_toxics([of(near, ResetPeer(timeout=3_600_000))])
        await s.near.send(b"after")
        with patience("the bytes to come in"):
            while s.proxy.sessions[1].bytes_from(s.near_leg) < 11:
                await trio.lowlevel.checkpoint()
        await s.proxy.set_toxics([of(near, ResetPeer(timeout=60))])
        assert await s.far.read_until_reset() == b""
        assert await s.near.read_until_reset() == b""
        assert await s.losses() == [(near, 5, "toxic")]


@both_ways
@waits
async def test_limit_data(near: str, wait: Wait) -> None:
    async with afflicted(near, wait, LimitData(bytes=100_000)) as s:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(s.near.send, bytes(150_000))
            assert await s.far.read_until_eof() == bytes(100_000)
        assert await s.near.read_until_eof() == b""
        s.near.fin()
        s.far.fin()
        assert await s.losses() == [(near, 50_000, "toxic0")]


@both_ways
@waits
async def test_a_rule_as_a_toxic(near: str, wait: Wait) -> None:
    async with afflicted(near, wait, Fin(f"{near}.fin -> hold")) as s:
        s.near.fin()
        await s.story.until("fin.held", near)
        await s.proxy.release(1, near)
        assert await s.far.read_until_eof() == b""
        await s.finish_politely()


@both_ways
@waits
async def test_a_reset_behind_latency_stays_a_reset(near: str, wait: Wait) -> None:
    async with afflicted(near, wait, Latency(latency=60)) as s:
        start = trio.current_time()
        await s.near.send(b"ping")
        s.near.rst()
        assert await s.far.read_until_reset() == b"ping"
        assert trio.current_time() - start >= 0.06


@both_ways
@waits
async def test_several_in_a_row(near: str, wait: Wait) -> None:
    kinds = (Noop(), Latency(20, 10), Bandwidth(2000), Slicer(700, 300, 10), SlowClose(20), LimitData(10**9))
    async with afflicted(near, wait, *kinds) as s:
        await s.near.send(bytes(range(256)) * 400)
        s.near.fin()
        assert await s.far.read_until_eof() == bytes(range(256)) * 400
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0


# --- all of them at once --------------------------------------------------------------------------


@both_ways
async def test_a_change_is_recorded_and_can_be_read(near: str) -> None:
    async with stage(near=near) as s:
        toxic = of(near, Latency(latency=10), toxicity=0.5)
        await s.proxy.set_toxics([toxic])
        assert s.proxy.toxics == (toxic,)
        assert (await s.story.until("toxics.changed")).fields["toxics"] == [toxic.as_dict()]


async def test_what_cannot_be_meant_changes_nothing() -> None:
    async with stage() as s:
        before = [of("client", Noop())]
        await s.proxy.set_toxics(before)
        with pytest.raises(ToxicError, match="found 'toxic' twice"):
            await s.proxy.set_toxics([of("client", Latency()), of("server", Latency())])
        assert s.proxy.toxics == tuple(before)
        assert len(s.story.find("toxics.changed")) == 1


async def test_a_rule_and_a_toxic_can_be_changed_without_each_other() -> None:
    async with stage("client.fin -> hold") as s:
        await s.proxy.set_toxics([of("client", Fin("client.fin -> drop"))])
        await s.proxy.set_rules(["client.fin -> relay"])
        s.near.fin()
        await s.story.until("fin.dropped", "client")
        assert s.far.hears_nothing
