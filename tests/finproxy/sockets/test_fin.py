"""What becomes of a FIN under each action, both ways: what the endpoints see, and what is recorded."""

from __future__ import annotations

import pytest

import finproxy
from tests.support.stage import both_ways, stage

A_MOMENT = 0.03
"""Two records of the same moment are not further apart than this, in seconds."""


@both_ways
async def test_relayed_fin_leaves_the_other_flow_alive(near: str) -> None:
    async with stage(near=near) as s:
        await s.near.send(b"question")
        s.near.fin()
        assert await s.far.read_until_eof() == b"question"
        await s.finish_politely()
        ending = await s.ending()
    assert ending["ended"] == ending["relayed"] == {"client": "fin", "server": "fin"}
    assert ending["bytes"] == {s.near_leg.value: 8, s.far_leg.value: 6}
    assert ending["closed_first"] == near
    assert ending["lost"] == 0
    assert ending["aborted"] is None
    assert s.story.lines("fin") == [
        f"fin.received {s.near_leg}",
        f"fin.sent {s.far_leg}",
        f"fin.received {s.far_leg}",
        f"fin.sent {s.near_leg}",
    ]


@both_ways
async def test_relay_said_in_a_rule_is_the_default(near: str) -> None:
    async with stage("{near}.fin -> relay", near=near) as s:
        await s.near.send(b"question")
        s.near.fin()
        assert await s.far.read_until_eof() == b"question"
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0
    assert s.story.find("rule.fired")[0].fields["rule"] == s.rule


@both_ways
async def test_delayed_fin_comes_later_and_the_bytes_do_not(near: str) -> None:
    async with stage("{near}.fin -> delay 100ms", near=near) as s:
        await s.near.send(b"question")
        s.near.fin()
        await s.story.until("fin.held")
        assert s.far.state == "ESTABLISHED"
        assert await s.far.receive(8) == b"question"
        assert await s.far.read_until_eof() == b""
        kept = s.story.find("fin.sent", s.far_leg)[0].t - s.story.find("fin.received", near)[0].t
        await s.finish_politely()
        ending = await s.ending()
    assert kept >= 0.1
    assert ending["kept"][near] == pytest.approx(kept, abs=A_MOMENT)
    assert ending["lost"] == 0


@both_ways
async def test_jitter_moves_the_delay_within_its_bounds_and_repeats_with_the_seed(near: str) -> None:
    limits = []
    for seed in (7, 7, 8):
        async with stage("{near}.fin -> delay 40ms~20ms", near=near, seed=seed) as s:
            s.near.fin()
            held = await s.story.until("fin.held")
            assert await s.far.read_until_eof() == b""
            released = await s.story.until("fin.released")
            assert released.fields["kept"] >= held.fields["limit"] - 0.001
            limits.append(held.fields["limit"])
    assert all(0.02 <= limit <= 0.06 for limit in limits)
    assert limits[0] == limits[1] != limits[2]


@both_ways
async def test_held_fin_waits_for_its_release(near: str) -> None:
    async with stage("{near}.fin -> hold", near=near) as s:
        await s.near.send(b"question")
        s.near.fin()
        held = await s.story.until("fin.held", near)
        assert await s.far.receive(8) == b"question"
        await s.far.send(b"are you there")
        assert await s.near.receive(13) == b"are you there"
        assert s.far.hears_nothing
        assert s.far.state == "ESTABLISHED"
        await s.proxy.release(1, near)
        assert await s.far.read_until_eof() == b""
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0
    assert held.fields == {"rule": s.rule}
    assert s.story.find("fin.released", near)[0].fields["why"] == "request"


@both_ways
async def test_hold_with_a_limit_ends_by_itself(near: str) -> None:
    async with stage("{near}.fin -> hold 50ms", near=near) as s:
        s.near.fin()
        assert await s.far.read_until_eof() == b""
        await s.finish_politely()
        assert (await s.ending())["kept"][near] >= 0.05
    assert s.story.find("fin.released", near)[0].fields["why"] == "its time was up"


@both_ways
async def test_hold_with_a_limit_can_be_released_before(near: str) -> None:
    async with stage("{near}.fin -> hold 1m", near=near) as s:
        s.near.fin()
        await s.story.until("fin.held")
        await s.proxy.release(1, near)
        assert await s.far.read_until_eof() == b""
        await s.finish_politely()
        assert (await s.ending())["duration"] < 30


@both_ways
async def test_hold_asked_for_by_the_api_needs_no_rule(near: str) -> None:
    async with stage(near=near) as s:
        await s.proxy.hold(1, near)
        s.near.fin()
        held = await s.story.until("fin.held", near)
        assert s.far.state == "ESTABLISHED"
        assert await s.proxy.release_all() == 1
        assert await s.far.read_until_eof() == b""
        await s.finish_politely()
        await s.closed()
    assert held.fields["rule"] == "request"


@both_ways
async def test_hold_that_was_called_off_holds_nothing(near: str) -> None:
    async with stage(near=near) as s:
        await s.proxy.hold(1, near)
        await s.proxy.release(1, near)
        s.near.fin()
        assert await s.far.read_until_eof() == b""
        await s.finish_politely()
        await s.closed()
    assert s.story.find("fin.held") == []


async def test_release_all_lets_go_both_ends_of_each_session() -> None:
    async with stage("any.fin -> hold") as s:
        s.client.fin()
        s.server.fin()
        await s.story.until("fin.held", count=2)
        assert await s.proxy.release_all() == 2
        assert await s.client.read_until_eof() == await s.server.read_until_eof() == b""
        assert (await s.ending())["lost"] == 0
        assert await s.proxy.release_all() == 0


@both_ways
async def test_releasing_what_is_not_held_says_so(near: str) -> None:
    async with stage(near=near) as s:
        with pytest.raises(finproxy.NotHeldError, match=f"nothing of the {near} is held"):
            await s.proxy.release(1, near)
        with pytest.raises(finproxy.NotHeldError, match="no live session 9; live: 1"):
            await s.proxy.release(9, near)
        s.near.fin()
        await s.story.until("fin.sent", s.far_leg)
        with pytest.raises(finproxy.NotHeldError, match="has gone by already"):
            await s.proxy.hold(1, near)


@both_ways
async def test_dropped_fin_is_never_heard_of(near: str) -> None:
    async with stage("{near}.fin -> drop", near=near) as s:
        await s.near.send(b"question")
        s.near.fin()
        await s.story.until("fin.dropped", near)
        assert await s.far.receive(8) == b"question"
        await s.finish_politely()
        await s.story.until("fin.sent", near)
        assert s.far.hears_nothing
        assert s.far.state in {"FIN-WAIT-1", "FIN-WAIT-2"}
        s.far.rst()
        ending = await s.ending()
    assert ending["relayed"] == {s.near_leg.value: "nothing", s.far_leg.value: "fin"}
    assert ending["lost"] == 0
    assert s.story.find("fin.sent", s.far_leg) == []
    assert s.story.find("fin.dropped", near)[0].fields["why"] == s.rule


@both_ways
async def test_reordered_fin_waits_until_the_opposite_fin_was_relayed(near: str) -> None:
    async with stage("{near}.fin -> reorder", near=near) as s:
        await s.near.send(b"question")
        s.near.fin()
        await s.story.until("fin.held", near)
        assert await s.far.receive(8) == b"question"
        assert s.far.state == "ESTABLISHED"
        assert s.far.hears_nothing
        await s.finish_politely()
        assert await s.far.read_until_eof() == b""
        ending = await s.ending()
    assert s.story.lines("fin") == [
        f"fin.received {s.near_leg}",
        f"fin.held {s.near_leg}",
        f"fin.received {s.far_leg}",
        f"fin.sent {s.near_leg}",
        f"fin.released {s.near_leg}",
        f"fin.sent {s.far_leg}",
    ]
    assert ending["closed_first"] == near
    assert ending["lost"] == 0


@both_ways
async def test_reorder_has_nothing_to_wait_for_when_the_opposite_fin_has_gone(near: str) -> None:
    async with stage("{near}.fin -> reorder", near=near) as s:
        s.far.fin()
        assert await s.near.read_until_eof() == b""
        s.near.fin()
        assert await s.far.read_until_eof() == b""
        await s.closed()
    assert s.story.find("fin.held") == []


@both_ways
async def test_any_reorder_turns_the_order_round_whoever_closes_first(near: str) -> None:
    async with stage("any.fin -> reorder", near=near) as s:
        s.near.fin()
        await s.story.until("fin.held", near)
        assert s.far.state == "ESTABLISHED"
        await s.finish_politely()
        assert await s.far.read_until_eof() == b""
        await s.closed()
    assert s.story.lines("fin.received") == [f"fin.received {s.near_leg}", f"fin.received {s.far_leg}"]
    assert s.story.lines("fin.sent") == [f"fin.sent {s.near_leg}", f"fin.sent {s.far_leg}"]


@pytest.mark.parametrize("who", ["{near}", "{far}", "any"])
@both_ways
async def test_simultaneous_relays_neither_fin_before_both_have_come(near: str, who: str) -> None:
    async with stage(f"{who}.fin -> simultaneous", near=near) as s:
        await s.near.send(b"question")
        s.near.fin()
        await s.story.until("fin.held", near)
        assert await s.far.receive(8) == b"question"
        assert s.far.state == "ESTABLISHED"
        await s.finish_politely()
        assert await s.far.read_until_eof() == b""
        ending = await s.ending()
    order = s.story.lines("fin")
    received = [order.index(f"fin.received {leg}") for leg in ("client", "server")]
    sent = [order.index(f"fin.sent {leg}") for leg in ("client", "server")]
    assert max(received) < min(sent)
    assert ending["relayed"] == {"client": "fin", "server": "fin"}
    assert ending["lost"] == 0


@both_ways
async def test_fin_for_a_fin_is_a_relayed_fin(near: str) -> None:
    async with stage("{near}.fin -> fin", near=near) as s:
        await s.near.send(b"question")
        s.near.fin()
        assert await s.far.read_until_eof() == b"question"
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0


@pytest.mark.parametrize(("sent", "seen"), [(b"0123456789", b"0123456"), (b"012", b""), (b"", b"")])
@both_ways
async def test_truncate_puts_the_fin_in_the_place_of_the_last_bytes(
    near: str, sent: bytes, seen: bytes
) -> None:
    async with stage("{near}.fin -> truncate 3", near=near) as s:
        await s.near.send(sent)
        s.near.fin()
        assert await s.far.read_until_eof() == seen
        await s.finish_politely()
        lost = len(sent) - len(seen)
        assert await s.losses() == ([(near, lost, s.rule)] if lost else [])


@both_ways
async def test_truncate_loses_the_end_of_a_long_flow_however_it_was_cut_up(near: str) -> None:
    body = bytes(range(256)) * 2000
    async with stage("{near}.fin -> truncate 64KiB", near=near) as s:
        for start in range(0, len(body), 50_000):
            await s.near.send(body[start : start + 50_000])
        s.near.fin()
        assert await s.far.read_until_eof() == body[: -64 * 1024]
        await s.finish_politely()
        assert await s.losses() == [(near, 64 * 1024, s.rule)]


@both_ways
async def test_fin_turned_into_a_reset_comes_after_every_byte(near: str) -> None:
    async with stage("{near}.fin -> reset", near=near) as s:
        await s.near.send(b"question")
        s.near.fin()
        assert await s.far.read_until_reset() == b"question"
        assert await s.near.read_until_reset() == b""
        ending = await s.ending()
    assert ending["ended"][near] == "fin"
    assert ending["relayed"][near] == "reset"
    assert ending["lost"] == 0
    assert f"reset.sent {s.far_leg}" in s.story.lines("reset")


@both_ways
async def test_full_close_ends_both_flows_at_one_fin(near: str) -> None:
    async with stage("{near}.fin -> full-close", near=near) as s:
        await s.near.send(b"question")
        await s.far.send(b"early")
        assert await s.near.receive(5) == b"early"
        s.near.fin()
        assert await s.far.read_until_eof() == b"question"
        assert await s.near.read_until_eof() == b""
        await s.far.send(b"too late")
        s.far.fin()
        assert await s.losses() == [(s.far_leg.value, 8, s.rule)]
    ending = await s.ending()
    assert ending["ended"] == ending["relayed"] == {"client": "fin", "server": "fin"}


@both_ways
async def test_blackhole_at_a_fin_swallows_all_that_comes_after(near: str) -> None:
    async with stage("{near}.fin -> blackhole", near=near) as s:
        await s.near.send(b"question")
        s.near.fin()
        await s.story.until("rule.fired")
        assert await s.far.receive(8) == b"question"
        await s.far.send(b"into the void")
        s.far.fin()
        assert s.near.hears_nothing
        assert s.far.hears_nothing
        assert list(s.proxy.sessions) == [1]
        await s.proxy.stop(0)
        assert await s.losses() == [(s.far_leg.value, 13, s.rule)]
    assert s.story.lines("fin.sent") == []


async def test_first_matching_rule_wins() -> None:
    async with stage("server.fin -> drop", "any.fin -> delay 20ms", "client.fin -> reset") as s:
        s.client.fin()
        assert await s.server.read_until_eof() == b""
        assert [r.fields["rule"] for r in s.story.find("rule.fired")] == ["any.fin -> delay 20ms"]
