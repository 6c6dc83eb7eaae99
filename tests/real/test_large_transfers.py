"""64 MiB under each action that promises to lose nothing, and 1 GiB both ways, checked by SHA-256."""

from __future__ import annotations

import hashlib
import random
from itertools import repeat

import pytest
import trio

from tests.support.peers import Peer
from tests.support.stage import both_ways, stage
from tests.support.stalling import Standstill, receive_stalling, send_pieces

BLOCK = random.Random(64).randbytes(1024 * 1024)
COUNT = 64
EXPECTED = hashlib.sha256(BLOCK * COUNT).hexdigest()

pytestmark = pytest.mark.slow


async def send_it_all(peer: Peer) -> None:
    """Send 64 MiB and a FIN."""
    for _ in range(COUNT):
        await peer.send(BLOCK)
    peer.fin()


async def receive_it_all(peer: Peer) -> str:
    """The SHA-256 of the 64 MiB that come, whether a FIN follows or not."""
    digest, missing = hashlib.sha256(), len(BLOCK) * COUNT
    while missing:
        some = await peer.receive_some(min(missing, len(BLOCK)))
        assert some, f"FIN with {missing} bytes still to come"
        digest.update(some)
        missing -= len(some)
    return digest.hexdigest()


@pytest.mark.parametrize(
    "rules",
    [
        (),
        ("{near}.fin -> relay",),
        ("{near}.fin -> delay 100ms",),
        ("{near}.fin -> delay 60ms~50ms",),
        ("{near}.fin -> hold",),
        ("{near}.fin -> hold 100ms",),
        ("{near}.fin -> reorder",),
        ("any.fin -> reorder",),
        ("{near}.fin -> simultaneous",),
        ("any.fin -> simultaneous",),
        ("{near}.fin -> drop",),
        ("{near}.bytes 1000000 -> hold 100ms",),
    ],
    ids=lambda rules: " ".join(rules) or "no rule",
)
@both_ways
async def test_64_mib_arrive_whole(near: str, rules: tuple[str, ...]) -> None:
    dropped, held = "drop" in str(rules), "hold'" in str(rules)
    async with stage(*rules, near=near) as s, trio.open_nursery() as nursery:
        nursery.start_soon(send_it_all, s.near)
        assert await receive_it_all(s.far) == EXPECTED
        await s.story.until("fin.received", near)
        if held:
            await s.proxy.release(1, near)
        await s.finish_politely()
        if dropped:
            await s.story.until("fin.sent", near)
            assert s.far.hears_nothing
            s.far.rst()
        else:
            assert await s.far.read_until_eof() == b""
        ending = await s.ending()
    assert ending["bytes"] == {s.near_leg.value: len(BLOCK) * COUNT, s.far_leg.value: len(b"answer")}
    assert ending["lost"] == 0
    assert ending["relayed"][near] == ("nothing" if dropped else "fin")


@both_ways
async def test_64_mib_both_ways_at_once(near: str) -> None:
    async with stage("{near}.fin -> reorder", near=near) as s, trio.open_nursery() as nursery:
        digests: list[str] = []

        async def receive(peer: Peer) -> None:
            digests.append(await receive_it_all(peer))
            assert await peer.read_until_eof() == b""

        for peer in (s.near, s.far):
            nursery.start_soon(send_it_all, peer)
            nursery.start_soon(receive, peer)
        ending = await s.ending()
    assert digests == [EXPECTED, EXPECTED]
    assert ending["lost"] == 0


async def test_1_gib_both_ways_at_once_to_readers_that_stall() -> None:
    blocks, digests = 1024, list[str]()

    async def receive(peer: Peer, standstill: Standstill) -> None:
        stall_every = 100 * len(BLOCK)
        digests.append(await receive_stalling(peer, repeat(len(BLOCK)), standstill, stall_every=stall_every))

    async with stage() as s:
        async with trio.open_nursery() as nursery:
            for source, sink in ((s.near, s.far), (s.far, s.near)):
                standstill = Standstill()
                nursery.start_soon(send_pieces, source, repeat(BLOCK, blocks), standstill)
                nursery.start_soon(receive, sink, standstill)
        ending = await s.ending()
    expected = hashlib.sha256()
    for _ in range(blocks):
        expected.update(BLOCK)
    assert digests == [expected.hexdigest()] * 2
    assert ending["bytes"] == {"client": blocks * len(BLOCK), "server": blocks * len(BLOCK)}
    assert ending["lost"] == 0
