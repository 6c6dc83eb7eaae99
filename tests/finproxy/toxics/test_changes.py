"""Toxics that come, change and go while sessions are open; and the chance that puts them in force."""

from __future__ import annotations

import hashlib
import random

import pytest
import trio
from trio.testing import MockClock

from finproxy.legs import FlowEnd
from finproxy.readiness import EpollReadiness, TrioReadiness
from finproxy.testing import open_session
from finproxy.toxics import Bandwidth, Fin, Latency, LimitData, Noop, Slicer, SlowClose, Toxic
from finproxy.toxics.values import Attributes
from tests.support.peers import Peer, connect, listening
from tests.support.stage import both_ways, proxy_before, stage


def up(attributes: Attributes, name: str = "toxic") -> Toxic:
    return Toxic(name, "upstream", attributes)


async def test_what_a_removed_toxic_kept_is_let_go_at_once_and_in_order(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Latency(latency=9000))]) as stage:
        await stage.client.send(b"one")
        await trio.sleep(1)
        await stage.client.send(b"two")
        await stage.client.send_fin()
        stage.set_toxics()
        start = trio.current_time()
        assert await stage.server.receive_to_end() == (b"onetwo", FlowEnd.FIN)
        assert trio.current_time() == start


async def test_it_passes_through_the_toxics_behind_it(autojump_clock: MockClock) -> None:
    slow, cut = up(Latency(latency=9000), "slow"), up(Latency(latency=500), "behind")
    async with open_session(toxics=[slow, cut]) as stage:
        await stage.client.send(b"ping")
        await trio.sleep(1)
        stage.set_toxics(cut)
        start = trio.current_time()
        assert await stage.server.receive() == b"ping"
        assert trio.current_time() - start == pytest.approx(0.5)


async def test_an_unchanged_toxic_goes_on_where_it_was(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Latency(latency=9000))]) as stage:
        await stage.client.send(b"ping")
        start = trio.current_time()
        for _ in range(5):
            await trio.sleep(1)
            stage.set_toxics(up(Latency(latency=9000)), up(Noop(), "another"))
            stage.set_toxics(up(Latency(latency=9000)))
        assert await stage.server.receive() == b"ping"
        assert trio.current_time() - start == pytest.approx(9)


@pytest.mark.parametrize(("latency", "seen_at"), [(2000, 2.0), (500, 1.0), (20_000, 20.0)])
async def test_a_changed_latency_holds_for_what_waits_from_when_it_came(
    autojump_clock: MockClock, latency: int, seen_at: float
) -> None:
    async with open_session(toxics=[up(Latency(latency=9000))]) as stage:
        await stage.client.send(b"ping")
        start = trio.current_time()
        await trio.sleep(1)
        stage.set_toxics(up(Latency(latency=latency)))
        assert await stage.server.receive() == b"ping"
        assert trio.current_time() - start == pytest.approx(seen_at)


async def test_a_changed_rate_holds_for_what_waits(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Bandwidth(rate=1))]) as stage:
        await stage.client.send(bytes(11_000))
        start = trio.current_time()
        assert await stage.server.receive_exactly(1000) == bytes(1000)
        stage.set_toxics(up(Bandwidth(rate=10)))
        assert await stage.server.receive_exactly(10_000) == bytes(10_000)
        assert trio.current_time() - start == pytest.approx(2)


async def test_another_type_under_the_same_name_is_another_toxic(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Latency(latency=9000))]) as stage:
        await stage.client.send(b"ping")
        stage.set_toxics(up(Bandwidth(rate=1)))
        assert await stage.server.receive() == b"ping"


async def test_toxics_in_another_order_let_everything_go_in_order(autojump_clock: MockClock) -> None:
    one, other = up(Latency(latency=9000), "one"), up(Bandwidth(rate=1), "other")
    async with open_session(toxics=[one, other]) as stage:
        await stage.client.send(b"ping")
        await trio.sleep(9)
        await stage.client.send(b"pong")
        stage.set_toxics(other, one)
        assert await stage.server.receive_exactly(8) == b"pingpong"


async def test_a_change_of_one_stream_leaves_the_other_alone(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Latency(latency=9000))]) as stage:
        await stage.client.send(b"ping")
        start = trio.current_time()
        stage.set_toxics(up(Latency(latency=9000)), Toxic("down", "downstream", Latency(latency=100)))
        await stage.server.send(b"pong")
        assert await stage.client.receive() == b"pong"
        assert trio.current_time() - start == pytest.approx(0.1)
        assert await stage.server.receive() == b"ping"
        assert trio.current_time() - start == pytest.approx(9)


async def test_a_session_without_toxics_any_more_is_as_fast_as_one_that_never_had_any(
    autojump_clock: MockClock,
) -> None:
    async with open_session(toxics=[up(Latency(latency=100))]) as stage:
        await stage.client.send(b"ping")
        stage.set_toxics()
        assert await stage.server.receive() == b"ping"
        await stage.client.send(b"ping")
        assert await stage.server.receive() == b"ping"
        flows = stage.session._shell.flows.values()
        assert [flow.line for flow in flows] == [None, None]


# --- chance ---------------------------------------------------------------------------------------


async def _sessions_with_it(seed: int, toxicity: float, stream: str = "upstream") -> set[int]:
    """In which of 40 sessions a toxic is in force; its rule says so when the client ends its flow."""
    toxic = Toxic("maybe", stream, Fin("client.fin -> relay"), toxicity)
    async with listening() as upstream, proxy_before(upstream, seed=seed, toxics=[toxic]) as (proxy, story):
        for number in range(1, 41):
            client = await connect(proxy.address)
            (await upstream.accept()).fin()
            client.fin()
            await story.until("session.closed", session=number)
        return {record.session for record in story.find("rule.fired") if record.session}


async def test_toxicity_is_the_share_of_sessions_and_a_seed_repeats_a_run() -> None:
    half = await _sessions_with_it(7, 0.5)
    assert 8 <= len(half) <= 32
    assert await _sessions_with_it(7, 0.5) == half
    assert await _sessions_with_it(8, 0.5) != half
    assert await _sessions_with_it(7, 0.5, "downstream") != half
    more = await _sessions_with_it(7, 0.8)
    assert half < more
    assert await _sessions_with_it(7, 0.0) == await _sessions_with_it(7, -3) == set()
    assert len(await _sessions_with_it(7, 7)) == 40


@both_ways
async def test_an_update_does_not_draw_anew(near: str) -> None:
    stream = "upstream" if near == "client" else "downstream"
    async with stage(near=near, seed=1) as s:
        for latency in range(1, 50):
            await s.proxy.set_toxics([Toxic("gone", stream, Latency(latency=60_000), 0.0)])
            await s.proxy.set_toxics([Toxic("gone", stream, Latency(latency=60_000 + latency), 0.0)])
        await s.near.send(b"ping")
        assert await s.far.receive(4) == b"ping"


# --- while bytes flow -----------------------------------------------------------------------------

_SIZE = 6 * 1024 * 1024
_CHANGES: list[Attributes] = [
    Latency(latency=5, jitter=5),
    Bandwidth(rate=50_000),
    Slicer(average_size=20_000, size_variation=10_000),
    LimitData(bytes=2**62),
    SlowClose(delay=1),
    Noop(),
]


async def _send_and_end(peer: Peer, data: bytes) -> None:
    await peer.send(data)
    peer.fin()


async def _digest(peer: Peer) -> str:
    digest = hashlib.sha256()
    while some := await peer.receive_some():
        digest.update(some)
    return digest.hexdigest()


@pytest.mark.parametrize("wait", [EpollReadiness, TrioReadiness])
async def test_bytes_flow_both_ways_while_toxics_come_change_and_go(
    wait: type[EpollReadiness | TrioReadiness],
) -> None:
    chance = random.Random(5)
    sent = {near: chance.randbytes(_SIZE) for near in ("client", "server")}
    async with stage(readiness=wait()) as s, trio.open_nursery() as nursery:
        digests: dict[str, str] = {}
        both = trio.Event()

        async def read(name: str, peer: Peer) -> None:
            digests[name] = await _digest(peer)
            if len(digests) == 2:
                both.set()

        nursery.start_soon(_send_and_end, s.client, sent["client"])
        nursery.start_soon(_send_and_end, s.server, sent["server"])
        nursery.start_soon(read, "client", s.server)
        nursery.start_soon(read, "server", s.client)
        changes = 0
        while not both.is_set():
            names = [name for name in "abcd" if chance.random() < 0.6]
            await s.proxy.set_toxics(
                Toxic(name, chance.choice(["upstream", "downstream"]), chance.choice(_CHANGES))
                for name in names
            )
            changes += 1
            with trio.move_on_after(0.002):  # as often as that, not to wait for anything
                await both.wait()
        assert digests == {name: hashlib.sha256(data).hexdigest() for name, data in sent.items()}
        assert changes > 3
        await s.proxy.set_toxics([])
        assert (await s.ending())["lost"] == 0
