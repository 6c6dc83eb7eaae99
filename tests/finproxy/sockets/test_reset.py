"""What becomes of a RST under each action, both ways: it is never taken for a FIN."""

from __future__ import annotations

import pytest

import finproxy
from tests.support.stage import Stage, both_ways, stage


async def reset_after_question(s: Stage) -> None:
    """The near endpoint sends eight bytes, which the far one reads, and resets."""
    await s.near.send(b"question")
    assert await s.far.receive(8) == b"question"
    s.near.rst()
    await s.story.until("reset.received", s.near_leg)


async def expect_end(s: Stage, relayed: str) -> None:
    """The session is over: the near endpoint reset, and the far one was told so in this way."""
    ending = await s.ending()
    assert ending["ended"][s.near_leg.value] == "reset"
    assert ending["relayed"][s.near_leg.value] == relayed
    assert ending["closed_first"] == s.near_leg.value
    assert ending["aborted"] is None


@pytest.mark.parametrize("rules", [(), ("{near}.reset -> relay",), ("{near}.reset -> reset",)])
@both_ways
async def test_reset_is_relayed_as_a_reset(near: str, rules: tuple[str, ...]) -> None:
    async with stage(*rules, near=near) as s:
        await reset_after_question(s)
        assert await s.far.read_until_reset() == b""
        await expect_end(s, relayed="reset")
        assert (await s.ending())["lost"] == 0
    assert s.story.lines("reset") == [f"reset.received {s.near_leg}", f"reset.sent {s.far_leg}"]
    assert s.story.lines("fin") == []


@both_ways
async def test_reset_without_a_byte_before_it(near: str) -> None:
    async with stage(near=near) as s:
        s.near.rst()
        assert await s.far.read_until_reset() == b""
        await expect_end(s, relayed="reset")


@both_ways
async def test_reset_comes_after_every_byte_that_was_sent_before_it(near: str) -> None:
    body = bytes(range(256)) * 4000
    async with stage(near=near) as s:
        # The kernel may drop what the proxy has not received yet when the sender resets: let it arrive.
        await s.near.send(body)
        got = await s.far.receive(1)
        while s.proxy.sessions[1].bytes_from(s.near_leg) < len(body):
            got += await s.far.receive_some()
        s.near.rst()
        got += await s.far.read_until_reset()
        assert got == body
        assert (await s.ending())["lost"] == 0


@both_ways
async def test_delayed_reset(near: str) -> None:
    async with stage("{near}.reset -> delay 100ms", near=near) as s:
        await reset_after_question(s)
        assert s.far.state == "ESTABLISHED"
        assert await s.far.read_until_reset() == b""
        await expect_end(s, relayed="reset")
        assert (await s.ending())["kept"][near] >= 0.1
    assert s.story.lines("reset") == [
        f"reset.received {s.near_leg}",
        f"reset.held {s.near_leg}",
        f"reset.released {s.near_leg}",
        f"reset.sent {s.far_leg}",
    ]


@both_ways
async def test_held_reset_waits_for_its_release(near: str) -> None:
    async with stage("{near}.reset -> hold", near=near) as s:
        await reset_after_question(s)
        await s.story.until("reset.held", near)
        assert s.far.state == "ESTABLISHED"
        assert s.far.hears_nothing
        await s.proxy.release(1, near)
        assert await s.far.read_until_reset() == b""
        await expect_end(s, relayed="reset")


@both_ways
async def test_held_reset_has_a_limit(near: str) -> None:
    async with stage("{near}.reset -> hold 50ms", near=near) as s:
        await reset_after_question(s)
        assert await s.far.read_until_reset() == b""
        await expect_end(s, relayed="reset")
    assert s.story.find("reset.released", near)[0].fields["why"] == "its time was up"


@both_ways
async def test_dropped_reset_leaves_the_receiver_believing(near: str) -> None:
    async with stage("{near}.reset -> drop", near=near) as s:
        await reset_after_question(s)
        await s.story.until("reset.dropped", near)
        await s.far.send(b"are you there")
        assert s.far.state == "ESTABLISHED"
        assert s.far.hears_nothing
        s.far.fin()
        await s.story.until("fin.received", s.far_leg)
        assert list(s.proxy.sessions) == [1]
        s.far.rst()
        await expect_end(s, relayed="nothing")
        assert await s.losses() == [(s.far_leg.value, 13, f"the {near} reset the connection")]


@both_ways
async def test_reset_turned_into_a_fin(near: str) -> None:
    async with stage("{near}.reset -> fin", near=near) as s:
        await reset_after_question(s)
        assert await s.far.read_until_eof() == b""
        s.far.fin()
        await expect_end(s, relayed="fin")
    assert s.story.lines("reset") == [f"reset.received {s.near_leg}"]


@both_ways
async def test_truncate_puts_a_fin_in_the_place_of_the_last_bytes_and_the_reset(near: str) -> None:
    async with stage("{near}.reset -> truncate 3", near=near) as s:
        await s.near.send(b"question")
        assert await s.far.receive(5) == b"quest"
        s.near.rst()
        assert await s.far.read_until_eof() == b""
        s.far.fin()
        await expect_end(s, relayed="fin")
        assert await s.losses() == [(near, 3, s.rule)]


@both_ways
async def test_full_close_at_a_reset_is_a_fin_for_who_is_left(near: str) -> None:
    async with stage("{near}.reset -> full-close", near=near) as s:
        await reset_after_question(s)
        assert await s.far.read_until_eof() == b""
        s.far.fin()
        await expect_end(s, relayed="fin")


@both_ways
async def test_blackhole_at_a_reset_tells_nobody(near: str) -> None:
    async with stage("{near}.reset -> blackhole", near=near) as s:
        await reset_after_question(s)
        await s.far.send(b"into the void")
        s.far.fin()
        assert s.far.hears_nothing
        await s.proxy.stop(0)
        ending = await s.ending()
        assert ending["relayed"] == {"client": "nothing", "server": "nothing"}
        assert await s.losses() == [(s.far_leg.value, 13, s.rule)]


@pytest.mark.parametrize("action", ["reorder", "simultaneous"])
@both_ways
async def test_reset_kept_until_the_opposite_end_has_come(near: str, action: str) -> None:
    async with stage("{near}.reset -> " + action, near=near) as s:
        await reset_after_question(s)
        await s.story.until("reset.held", near)
        assert s.far.state == "ESTABLISHED"
        s.far.fin()
        assert await s.far.read_until_reset() == b""
        await expect_end(s, relayed="reset")
    assert s.story.lines("reset.sent") == [f"reset.sent {s.far_leg}"]


@both_ways
async def test_reset_while_the_fin_is_held_takes_its_place(near: str) -> None:
    async with stage("{near}.fin -> hold", near=near) as s:
        s.near.fin()
        await s.story.until("fin.held", near)
        s.near.rst()
        assert await s.far.read_until_reset() == b""
        await expect_end(s, relayed="reset")
        with pytest.raises(finproxy.NotHeldError):
            await s.proxy.release(1, near)


@both_ways
async def test_reset_after_the_fin_is_relayed_as_a_reset(near: str) -> None:
    async with stage(near=near) as s:
        s.near.fin()
        assert await s.far.read_until_eof() == b""
        s.near.rst()
        await s.far.expect_reset_after_fin()
        await expect_end(s, relayed="reset")
    assert s.story.lines("fin") + s.story.lines("reset") == [
        f"fin.received {s.near_leg}",
        f"fin.sent {s.far_leg}",
        f"reset.received {s.near_leg}",
        f"reset.sent {s.far_leg}",
    ]


@both_ways
async def test_endpoint_that_closes_with_unread_bytes_resets(near: str) -> None:
    async with stage(near=near) as s:
        s.near.fin()
        assert await s.far.read_until_eof() == b""
        await s.far.send(b"an answer that nobody reads")
        assert await s.near.receive(2) == b"an"
        s.near.close()
        await s.far.expect_reset_after_fin()
        await expect_end(s, relayed="reset")


@both_ways
async def test_bytes_sent_to_an_endpoint_that_has_closed_meet_its_reset(near: str) -> None:
    async with stage(near=near) as s:
        s.near.close()
        assert await s.far.read_until_eof() == b""
        await s.far.send(b"hello?")
        await s.far.expect_reset_after_fin()
        await expect_end(s, relayed="reset")
        assert await s.losses() in ([], [(s.far_leg.value, 6, f"the {near} reset the connection")])


@both_ways
async def test_rule_for_resets_does_not_touch_fins(near: str) -> None:
    async with stage("any.reset -> drop", near=near) as s:
        s.near.fin()
        assert await s.far.read_until_eof() == b""
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0


@both_ways
async def test_reordered_reset_does_not_wait_for_a_fin_that_has_come_already(near: str) -> None:
    async with stage("{near}.reset -> reorder", "{far}.fin -> drop", near=near) as s:
        s.far.fin()
        await s.story.until("fin.dropped", s.far_leg)
        s.near.rst()
        await s.story.until("reset.received", near)
        assert s.story.find("reset.held") == []
        await s.far.expect_reset_after_fin()
