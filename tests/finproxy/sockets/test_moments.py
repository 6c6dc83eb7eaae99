"""Rules that fire at a moment (connect, bytes N, after D, idle D), with every action, both ways.

An action that needs an end to act on is armed by the moment and waits for the near endpoint's FIN; the
others act at once. What each action does to an end is proved in test_fin.py: here, that the moment sets it
off, in the session and direction that it should.
"""

from __future__ import annotations

import pytest

from tests.support.stage import Stage, both_ways, stage

MOMENTS = ["connect", "bytes 8", "after 40ms", "idle 40ms"]
every_moment = pytest.mark.parametrize("moment", MOMENTS)


async def reach(s: Stage, moment: str) -> int:
    """Do what makes the moment come; how many bytes the far endpoint has read meanwhile."""
    sent = b"question" if moment.startswith("bytes") else b""
    if sent:
        await s.near.send(sent)
    fired = await s.story.until("rule.fired", s.near_leg)
    assert fired.fields["rule"] == s.rule
    if moment.endswith("40ms"):
        assert fired.t >= 0.04
    return len(await s.far.receive(len(sent)))


# --- actions that wait for an end -----------------------------------------------------------------


@every_moment
@both_ways
async def test_relay(near: str, moment: str) -> None:
    async with stage(f"{{near}}.{moment} -> relay", near=near) as s:
        await reach(s, moment)
        s.near.fin()
        assert await s.far.read_until_eof() == b""
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0


@pytest.mark.parametrize("jitter", ["", "~20ms"])
@every_moment
@both_ways
async def test_delay(near: str, moment: str, jitter: str) -> None:
    async with stage(f"{{near}}.{moment} -> delay 60ms{jitter}", near=near) as s:
        await reach(s, moment)
        await s.near.send(b"!")
        s.near.fin()
        await s.story.until("fin.held", near)
        assert await s.far.read_until_eof() == b"!"
        await s.finish_politely()
        assert (await s.ending())["kept"][near] >= (0.04 if jitter else 0.06)


@every_moment
@both_ways
async def test_hold(near: str, moment: str) -> None:
    async with stage(f"{{near}}.{moment} -> hold", near=near) as s:
        await reach(s, moment)
        s.near.fin()
        await s.story.until("fin.held", near)
        assert s.far.state == "ESTABLISHED"
        await s.proxy.release(1, near)
        assert await s.far.read_until_eof() == b""
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0


@every_moment
@both_ways
async def test_drop(near: str, moment: str) -> None:
    async with stage(f"{{near}}.{moment} -> drop", near=near) as s:
        await reach(s, moment)
        s.near.fin()
        await s.story.until("fin.dropped", near)
        await s.finish_politely()
        await s.story.until("fin.sent", near)
        assert s.far.hears_nothing
    assert s.story.find("fin.sent", s.far_leg) == []


@every_moment
@both_ways
async def test_reorder(near: str, moment: str) -> None:
    async with stage(f"{{near}}.{moment} -> reorder", near=near) as s:
        await reach(s, moment)
        s.near.fin()
        await s.story.until("fin.held", near)
        assert s.far.state == "ESTABLISHED"
        await s.finish_politely()
        assert await s.far.read_until_eof() == b""
        await s.closed()
    assert s.story.lines("fin.sent") == [f"fin.sent {s.near_leg}", f"fin.sent {s.far_leg}"]


@pytest.mark.parametrize("first", ["near", "far"])
@every_moment
@both_ways
async def test_simultaneous(near: str, moment: str, first: str) -> None:
    async with stage(f"{{near}}.{moment} -> simultaneous", near=near) as s:
        await reach(s, moment)
        one, other = (s.near, s.far) if first == "near" else (s.far, s.near)
        one.fin()
        await s.story.until("fin.held")
        assert other.state == "ESTABLISHED"
        other.fin()
        assert await one.read_until_eof() == await other.read_until_eof() == b""
        await s.closed()
    order = s.story.lines("fin")
    assert max(map(order.index, s.story.lines("fin.received"))) < min(
        map(order.index, s.story.lines("fin.sent"))
    )


# --- actions that act at once ---------------------------------------------------------------------


@every_moment
@both_ways
async def test_fin_ends_the_flow_before_its_endpoint_does(near: str, moment: str) -> None:
    async with stage(f"{{near}}.{moment} -> fin", near=near) as s:
        await reach(s, moment)
        assert await s.far.read_until_eof() == b""
        await s.near.send(b"too late")
        assert s.near.state == "ESTABLISHED"
        await s.finish_politely()
        s.near.fin()
        assert await s.losses() == [(near, 8, s.rule)]
    assert (await s.ending())["closed_first"] == s.far_leg.value


@every_moment
@both_ways
async def test_truncate(near: str, moment: str) -> None:
    async with stage(f"{{near}}.{moment} -> truncate 3", near=near) as s:
        await s.near.send(b"question")
        await s.story.until("rule.fired", near)
        seen = await s.far.read_until_eof()
        await s.near.send(b"too late")
        await s.finish_politely()
        s.near.fin()
        assert await s.losses() == [(near, 16 - len(seen), s.rule)]
    # A moment that does not come from the bytes may come before them: then there is nothing to cut off.
    assert seen == b"quest" if moment.startswith("bytes") else seen in {b"quest", b""}


@every_moment
@both_ways
async def test_reset_hits_both_endpoints(near: str, moment: str) -> None:
    async with stage(f"{{near}}.{moment} -> reset", near=near) as s:
        if moment.startswith("bytes"):
            await s.near.send(b"question")
        assert await s.far.read_until_reset() == (b"question" if moment.startswith("bytes") else b"")
        assert await s.near.read_until_reset() == b""
        ending = await s.ending()
    assert ending["relayed"][near] == "reset"
    assert ending["ended"] == {"client": "open", "server": "open"}
    assert ending["closed_first"] is None
    assert s.story.lines("reset") == ["reset.sent client", "reset.sent server"]


@every_moment
@both_ways
async def test_full_close_ends_both_flows(near: str, moment: str) -> None:
    async with stage(f"{{near}}.{moment} -> full-close", near=near) as s:
        await reach(s, moment)
        assert await s.far.read_until_eof() == await s.near.read_until_eof() == b""
        await s.near.send(b"too late")
        await s.far.send(b"late")
        s.near.fin()
        s.far.fin()
        assert sorted(await s.losses()) == sorted(
            [(s.near_leg.value, 8, s.rule), (s.far_leg.value, 4, s.rule)]
        )
    assert (await s.ending())["relayed"] == {"client": "fin", "server": "fin"}


@every_moment
@both_ways
async def test_blackhole_moves_nothing_either_way(near: str, moment: str) -> None:
    async with stage(f"{{near}}.{moment} -> blackhole", near=near) as s:
        await reach(s, moment)
        await s.near.send(b"hello")
        s.near.fin()
        await s.far.send(b"anybody")
        s.far.fin()
        assert s.near.hears_nothing
        assert s.far.hears_nothing
        (late,) = await s.proxy.stop(0)
        assert sorted(await s.losses()) == sorted(
            [(s.near_leg.value, 5, s.rule), (s.far_leg.value, 7, s.rule)]
        )
    assert late.lost == 12
    assert (await s.ending())["aborted"] == "the proxy was stopped"


# --- the moments themselves -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 7, 1000, 65_536, 1_000_000])
@both_ways
async def test_exactly_n_bytes_are_delivered_before_the_rule_of_byte_n(near: str, count: int) -> None:
    async with stage(f"{{near}}.bytes {count} -> fin", near=near) as s:
        await s.near.send(bytes(count + 5))
        assert await s.far.read_until_eof() == bytes(count)
        await s.finish_politely()
        s.near.fin()
        assert await s.losses() == [(near, 5, s.rule)]


@both_ways
async def test_bytes_fires_once_and_only_when_they_have_come(near: str) -> None:
    async with stage("{near}.bytes 10 -> drop", near=near) as s:
        await s.near.send(b"123456789")
        assert await s.far.receive(9) == b"123456789"
        assert s.story.find("rule.fired") == []
        await s.near.send(b"0" * 30)
        assert await s.far.receive(30) == b"0" * 30
        assert len(s.story.find("rule.fired")) == 1


@both_ways
async def test_bytes_of_the_other_endpoint_do_not_count(near: str) -> None:
    async with stage("{near}.bytes 5 -> reset", near=near) as s:
        await s.far.send(b"0123456789")
        assert await s.near.receive(10) == b"0123456789"
        await s.near.send(b"1234")
        assert await s.far.receive(4) == b"1234"
        assert s.story.find("rule.fired") == []


@both_ways
async def test_several_byte_counts_fire_each_at_its_own_byte(near: str) -> None:
    async with stage("{near}.bytes 3 -> hold", "{near}.bytes 6 -> reset", near=near) as s:
        await s.near.send(b"0123456789")
        assert await s.far.read_until_reset() == b"012345"
        await s.closed()
    assert len(s.story.find("rule.fired")) == 2


@both_ways
async def test_idle_counts_from_the_last_byte(near: str) -> None:
    async with stage("{near}.idle 100ms -> reset", near=near) as s:
        last = 0.0
        for _ in range(5):
            await s.near.send(b"x")
            assert await s.far.receive(1) == b"x"
            last = s.proxy.sessions[1].age
        assert await s.far.read_until_reset() == b""
        fired = s.story.find("rule.fired")[0]
        await s.closed()
    assert fired.t - last >= 0.09


@both_ways
async def test_endpoint_that_has_ended_its_flow_is_not_idle(near: str) -> None:
    async with stage("{near}.idle 30ms -> reset", "{far}.idle 80ms -> drop", near=near) as s:
        s.near.fin()
        assert await s.far.read_until_eof() == b""
        await s.story.until("rule.fired", s.far_leg)
        assert s.story.find("rule.fired", near) == []


@both_ways
async def test_after_and_fin_rules_stand_side_by_side(near: str) -> None:
    async with stage("{near}.after 30ms -> reset", "{near}.fin -> hold", near=near) as s:
        s.near.fin()
        await s.story.until("fin.held")
        assert await s.far.read_until_reset() == b""
        await s.closed()
    assert s.story.lines("fin") == [
        f"fin.received {s.near_leg}",
        f"fin.held {s.near_leg}",
        f"fin.released {s.near_leg}",
    ]


@both_ways
async def test_simultaneous_is_satisfied_by_a_fin_that_was_sent_early(near: str) -> None:
    async with stage("{near}.bytes 8 -> fin", "{far}.fin -> simultaneous", near=near) as s:
        s.far.fin()
        await s.story.until("fin.held", s.far_leg)
        await s.near.send(b"question")
        assert await s.far.read_until_eof() == b"question"
        s.near.fin()
        await s.story.until("fin.received", near)
        assert s.story.lines("fin.sent") == [f"fin.sent {s.far_leg}", f"fin.sent {s.near_leg}"]
        assert await s.near.read_until_eof() == b""
