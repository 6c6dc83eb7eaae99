"""A FIN that is held at the wire: its sender waits for the ACK, and what it has sent is not lost."""

from __future__ import annotations

import hashlib
import os

import pytest
import trio

from finproxy.legs import Leg
from tests.support.stage import both_ways

from .scene import PENDING, Act, Glance, act, by_leg, scene

BEFORE_THE_FIN = 300_000
IN_ITS_SEGMENT = 700

SHAPES = [(0, 0), (BEFORE_THE_FIN, 0), (0, IN_ITS_SEGMENT), (BEFORE_THE_FIN, IN_ITS_SEGMENT)]
"""Bytes before the FIN, and bytes in its own segment."""


@both_ways
async def test_the_sender_waits_in_fin_wait_1_until_release_and_loses_nothing(
    technique: str, host: str, near: str
) -> None:
    """Bare FINs, behind data and with data, by shutdown() and by close(): all at once in one proxy."""
    shapes = SHAPES
    if technique == "zero-window":  # it holds a FIN behind pending bytes only
        shapes = [(PENDING, within) for before, within in SHAPES if before]
    async with (
        scene(technique, "{near}.fin -> hold at wire", near=near, host=host) as told,
        trio.open_nursery() as nursery,
    ):
        for before, within in shapes:
            for closes in (False, True):
                nursery.start_soon(_hold_and_release, await told.act(), before, within, closes)


async def _hold_and_release(s: Act, before: int, within: int, closes: bool) -> None:
    sent = os.urandom(before + within)
    if s.technique == "zero-window":
        await s.near.leave_to_kernel(sent[:before])
    else:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(s.near.send, sent[:before])
            assert await s.far.receive(before) == sent[:before]
    s.near.leave_to_the_fin(sent[before:])
    s.near.close() if closes else s.near.fin()

    held = await s.happens("fin.held", s.near_leg)
    await s.reach("FIN-WAIT-1", "ESTABLISHED")
    await s.outlast(s.near_leg)
    assert s.far.hears_nothing
    assert held.fields["technique"] == s.technique

    await s.release()
    rest = await s.far.read_until_eof()
    received = rest if s.technique == "zero-window" else sent[:before] + rest
    assert hashlib.sha256(received).digest() == hashlib.sha256(sent).digest()
    s.far.fin()
    ending = await s.ending()
    assert ending["lost"] == 0
    assert ending["closed_first"] == s.near_leg.value
    assert s.lines() == [
        f"rule.fired {s.near_leg}",
        f"fin.held {s.near_leg}",
        f"fin.released {s.near_leg}",
        f"fin.received {s.near_leg}",
        f"fin.sent {s.far_leg}",
        f"fin.received {s.far_leg}",
        f"fin.sent {s.near_leg}",
    ]


@both_ways
async def test_a_limit_lets_it_in(technique: str, host: str, near: str) -> None:
    glance = Glance("fin.released", by_leg(near, "FIN-WAIT-1", "ESTABLISHED"))
    async with act(
        technique, "{near}.fin -> hold 300ms at wire", near=near, host=host, observers=(glance,)
    ) as s:
        await s.fill()
        s.near.fin()
        held = await s.happens("fin.held")
        released = await s.happens("fin.released")
        assert await s.far.read_until_eof() == s.sent
        await s.reach("FIN-WAIT-2", "CLOSE-WAIT")
    assert glance.seen == glance.expected
    assert held.fields["limit"] == 0.3
    assert released.fields["kept"] >= 0.3
    assert released.fields["why"] == "its time was up"


@both_ways
async def test_delay_lets_it_in_later(technique: str, host: str, near: str) -> None:
    glance = Glance("fin.released", by_leg(near, "FIN-WAIT-1", "ESTABLISHED"))
    async with act(
        technique, "{near}.fin -> delay 300ms at wire", near=near, host=host, observers=(glance,)
    ) as s:
        await s.fill()
        s.near.fin()
        assert await s.far.read_until_eof() == s.sent
        received = await s.happens("fin.received")
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0
    assert glance.seen == glance.expected
    assert received.t - s.story.find("fin.held")[0].t >= 0.3


@both_ways
async def test_drop_never_lets_it_in(technique: str, host: str, near: str) -> None:
    async with act(technique, "{near}.fin -> drop at wire", near=near, host=host) as s:
        await s.fill()
        s.near.fin()
        dropped = await s.happens("fin.dropped")
        await s.reach("FIN-WAIT-1", "ESTABLISHED")
        await s.far.send(b"are you there")
        assert await s.near.receive(13) == b"are you there"
        await s.outlast(s.near_leg, 2)
        assert s.far.hears_nothing
        assert s.states == ("FIN-WAIT-1", "ESTABLISHED")
    assert dropped.fields["why"] == f"{near}.fin -> drop at wire"
    assert s.story.find("fin.received", near) == []


@both_ways
async def test_the_far_endpoint_can_answer_while_it_is_held(technique: str, host: str, near: str) -> None:
    async with act(technique, "{near}.fin -> hold at wire", near=near, host=host) as s:
        await s.keep_out()
        answer = os.urandom(BEFORE_THE_FIN)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(s.far.send, answer)
            assert await s.near.receive(len(answer)) == answer
        assert s.states == ("FIN-WAIT-1", "ESTABLISHED")
        await s.release()
        assert await s.far.read_until_eof() == s.sent


async def test_both_ends_are_held_and_released_together(technique: str) -> None:
    async with act(technique, "any.fin -> hold at wire") as s:
        for peer in (s.client, s.server):
            await s.fill(peer)
            peer.fin()
        await s.story.until("fin.held", count=2)
        await s.reach("FIN-WAIT-1", "FIN-WAIT-1")
        assert await s.proxy.release_all() == 2
        for peer in (s.client, s.server):
            await peer.read_until_eof()
        assert (await s.ending())["lost"] == 0


async def test_sessions_are_released_one_by_one(exact: str) -> None:
    async with scene(exact, "client.fin -> hold at wire") as told:
        acts = [await told.act() for _ in range(3)]
        for s in acts:
            await s.keep_out()
        await acts[1].release()
        await acts[1].reach("FIN-WAIT-2", "CLOSE-WAIT")
        assert [s.state(Leg.CLIENT) for s in acts] == ["FIN-WAIT-1", "FIN-WAIT-2", "FIN-WAIT-1"]


@pytest.mark.parametrize("limit", ["", " 1m"])
async def test_a_second_release_finds_nothing_held(exact: str, limit: str) -> None:
    import finproxy

    async with act(exact, f"client.fin -> hold{limit} at wire") as s:
        await s.keep_out()
        await s.release()
        with pytest.raises(finproxy.FinproxyError, match="nothing of the client is held"):
            await s.release()
        assert await s.far.read_until_eof() == b""
        assert s.story.find("fin.slipped") == []
