"""Reorder and simultaneous on the wire: FINs that cross."""

from __future__ import annotations

import pytest
import trio

from finproxy.legs import Leg
from tests.support.stage import both_ways

from .scene import Glance, act, by_leg


@both_ways
async def test_reorder_lets_it_in_once_the_opposite_fin_has_left(
    technique: str, host: str, near: str
) -> None:
    """The near endpoint meets the far one's FIN while its own is unacknowledged: it is in CLOSING."""
    glance = Glance("fin.released", by_leg(near, "CLOSING", "FIN-WAIT-2"))
    async with act(
        technique, "{near}.fin -> reorder at wire", near=near, host=host, observers=(glance,)
    ) as s:
        await s.keep_out()
        await s.outlast(s.near_leg)
        await s.far.send(b"answer")
        s.far.fin()
        assert await s.near.read_until_eof() == b"answer"
        assert await s.far.read_until_eof() == s.sent
        ending = await s.ending()
    assert glance.seen == glance.expected
    assert ending["lost"] == 0
    assert s.lines() == [
        f"rule.fired {s.near_leg}",
        f"fin.held {s.near_leg}",
        f"fin.received {s.far_leg}",
        f"fin.sent {s.near_leg}",
        f"fin.released {s.near_leg}",
        f"fin.received {s.near_leg}",
        f"fin.sent {s.far_leg}",
    ]


async def test_both_may_reorder_and_the_later_one_goes_first(exact: str) -> None:
    async with act(exact, "any.fin -> reorder at wire") as s:
        s.client.fin()
        await s.happens("fin.held", Leg.CLIENT)
        s.server.fin()
        assert await s.client.read_until_eof() == await s.server.read_until_eof() == b""
        await s.closed()
    assert [line for line in s.lines() if line.startswith("fin.sent")] == [
        "fin.sent client",
        "fin.sent server",
    ]


@both_ways
async def test_simultaneous_puts_both_ends_in_closing_at_one_moment(exact: str, host: str, near: str) -> None:
    glance = Glance("fin.sent", ("CLOSING", "CLOSING"), count=2)
    async with act(exact, "any.fin -> simultaneous at wire", near=near, host=host, observers=(glance,)) as s:
        await s.near.send(b"first")
        assert await s.far.receive(5) == b"first"
        s.near.fin()
        await s.happens("fin.held", s.near_leg)
        await s.outlast(s.near_leg)
        assert s.states == ("FIN-WAIT-1", "ESTABLISHED")
        await s.far.send(b"second")
        assert await s.near.receive(6) == b"second"
        s.far.fin()
        assert await s.near.read_until_eof() == await s.far.read_until_eof() == b""
        ending = await s.ending()
    assert glance.seen == ("CLOSING", "CLOSING")
    assert ending["lost"] == 0
    assert s.story.find("fin.slipped") == []


@both_ways
async def test_simultaneous_for_one_leg_only_puts_that_end_in_closing(exact: str, near: str) -> None:
    glance = Glance("fin.sent", by_leg(near, "CLOSING", "FIN-WAIT-2"))
    async with act(exact, "{near}.fin -> simultaneous at wire", near=near, observers=(glance,)) as s:
        s.far.fin()  # first: it is kept at the relay until the other one has come
        await s.happens("fin.held", s.far_leg)
        s.near.fin()
        assert await s.near.read_until_eof() == await s.far.read_until_eof() == b""
        await s.closed()
    assert glance.seen == glance.expected


@both_ways
@pytest.mark.parametrize("closes", [False, True], ids=["shutdown", "close"])
async def test_simultaneous_keeps_a_fin_with_data_at_the_relay_and_says_so(
    exact: str, near: str, closes: bool
) -> None:
    async with act(exact, "any.fin -> simultaneous at wire", near=near) as s:
        s.near.leave_to_the_fin(b"last words")
        s.near.close() if closes else s.near.fin()
        slipped = await s.happens("fin.slipped", s.near_leg)
        await s.happens("fin.held", s.near_leg)
        assert await s.far.receive(10) == b"last words"
        assert s.far.hears_nothing
        s.far.fin()
        assert await s.far.read_until_eof() == b""
        ending = await s.ending()
    assert "kept at the relay" in slipped.fields["why"]
    assert ending["lost"] == 0
    assert ending["relayed"] == {"client": "fin", "server": "fin"}


async def test_two_fins_with_data_lose_nothing(exact: str) -> None:
    async with act(exact, "any.fin -> simultaneous at wire") as s:
        s.client.leave_to_the_fin(b"from the client")
        s.client.fin()
        s.server.leave_to_the_fin(b"from the server")
        s.server.fin()
        with trio.fail_after(20):
            assert await s.client.read_until_eof() == b"from the server"
            assert await s.server.read_until_eof() == b"from the client"
        assert (await s.ending())["lost"] == 0
