"""What happens to a wire hold when something else does: resets, stops, kills, other rules, blackholes."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest
import trio

from finproxy.legs import Leg
from finproxy.wire import firewall
from tests.finproxy.wire.test_nfqueue import rules as firewall_rules
from tests.support.peers import connect
from tests.support.resources import nothing_left_behind
from tests.support.stage import both_ways

from .scene import act, scene

HOLD = "{near}.fin -> hold at wire"


@both_ways
async def test_a_reset_during_a_hold_is_relayed(technique: str, near: str) -> None:
    async with act(technique, HOLD, near=near) as s:
        await s.keep_out()
        s.near.rst()
        received = await s.far.read_until_reset()
        assert s.sent.startswith(received)
        assert bool(received) == bool(s.sent)  # what had come before the reset is not lost with it
        ending = await s.ending()
    assert ending["ended"][near] == "reset"
    assert ending["duration"] < 9  # it does not wait for a limit
    assert s.lines()[2:] == [f"reset.received {near}", f"fin.dropped {near}", f"reset.sent {s.far_leg}"]


@both_ways
async def test_both_endpoints_may_reset_during_a_hold(technique: str, near: str) -> None:
    async with act(technique, HOLD, near=near) as s:
        await s.keep_out()
        s.near.rst()
        s.far.rst()
        ending = await s.ending()
    assert "reset" in ending["ended"].values()  # the second may have met ours
    assert s.story.find("session.crashed") == []


@both_ways
async def test_a_reset_of_the_far_endpoint_during_a_hold_is_relayed(technique: str, near: str) -> None:
    async with act(technique, HOLD, near=near) as s:
        await s.keep_out()
        s.far.rst()
        assert await s.near.read_until_reset() == b""
        await s.closed()
    assert s.story.find("fin.released", near) != []


@both_ways
async def test_the_fin_is_let_in_once_nobody_is_left_to_be_told(technique: str, near: str) -> None:
    async with act(technique, HOLD, "{far}.reset -> drop", near=near) as s:
        await s.keep_out()
        s.far.rst()
        await s.happens("fin.received", s.near_leg)
        await s.reach("FIN-WAIT-2", "no row")


@both_ways
@pytest.mark.parametrize("end", ["stop", "cancel"])
async def test_nothing_is_left_behind_by_a_proxy_that_ends_during_a_hold(
    technique: str, near: str, end: str
) -> None:
    with nothing_left_behind():
        with trio.CancelScope() as scope:
            async with act(technique, HOLD, near=near) as s:
                await s.keep_out()
                if end == "cancel":
                    scope.cancel()
                    await trio.sleep_forever()
        ending = await s.ending()
        s.near.close()
        s.far.close()
    assert ending["aborted"] is not None
    if technique == "nfqueue":
        assert firewall_rules() == []
        assert firewall.listening() == set()


OWNER = textwrap.dedent("""
    import sys, trio, finproxy

    async def main():
        async with finproxy.open_proxy("127.0.0.1:1", ["client.fin -> hold at wire"], wire="nfqueue"):
            print("armed", flush=True)
            await trio.sleep_forever()

    trio.run(main)
""")


def _start_and_kill() -> int:
    """Kill a proxy that has armed its rules; its process id. Not by Trio, which forks in another thread."""
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "armed\n"
        process.send_signal(signal.SIGKILL)
    return process.pid


async def test_rules_of_a_killed_proxy_are_swept_at_the_next_start(nfqueue: str) -> None:
    pid = _start_and_kill()
    assert len(firewall_rules()) == 2
    async with act(nfqueue, "client.fin -> hold at wire"):
        assert not any(f"pid={pid}:" in rule for rule in firewall_rules())
    assert firewall_rules() == []


async def test_two_proxies_at_once_have_their_own_queues(nfqueue: str) -> None:
    async with (
        act(nfqueue, "client.fin -> hold at wire") as one,
        act(nfqueue, "client.fin -> hold at wire") as two,
    ):
        assert len(firewall.listening()) == 2
        await one.keep_out()
        await two.keep_out()
        await one.release()
        assert await one.far.read_until_eof() == b""
        assert two.states == ("FIN-WAIT-1", "ESTABLISHED")


async def test_sessions_that_no_rule_in_play_concerns_are_as_without_it(technique: str) -> None:
    async with scene(technique, "client.fin -> hold at wire @0.000001", seed=1) as told:
        s = await told.act()
        await s.near.leave_to_kernel(bytes(100_000))
        s.near.fin()
        assert await s.far.read_until_eof() == bytes(100_000)
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0
    assert s.lines()[0] == "fin.received client"


async def test_chance_decides_for_each_session(exact: str) -> None:
    async with scene(exact, "client.fin -> hold at wire @0.5", seed=7) as told:
        acts = [await told.act() for _ in range(12)]
        for s in acts:
            s.near.fin()
        held = 0
        for s in acts:
            fate = await s.happens_first("fin.held", "fin.received")
            held += fate == "fin.held"
        assert 0 < held < 12


async def test_a_session_that_ends_at_its_opening_ends_once(exact: str) -> None:
    async with scene(exact, "client.fin -> hold at wire", "client.connect -> reset") as told:
        client = await connect(told.proxy.address)
        assert await client.read_until_reset() == b""
        await told.story.until("session.closed")
    assert len(told.story.find("session.closed")) == 1
    assert told.story.find("session.crashed") == []


@both_ways
async def test_a_moment_lets_it_in(technique: str, near: str) -> None:
    async with act(technique, HOLD, "{near}.after 500ms -> relay", near=near) as s:
        await s.fill()
        s.near.fin()
        assert await s.far.read_until_eof() == s.sent
    assert s.story.find("fin.released", near)[0].t >= 0.5


@both_ways
async def test_a_blackhole_leaves_it_outside(exact: str, near: str) -> None:
    async with act(exact, HOLD, "{far}.bytes 4 -> blackhole", near=near) as s:
        await s.keep_out()
        await s.far.send(b"hole")
        dropped = await s.happens("fin.dropped", s.near_leg)
        await s.outlast(s.near_leg)
        assert s.states == ("FIN-WAIT-1", "ESTABLISHED")
    assert dropped.fields["why"] == f"{s.far_leg}.bytes 4 -> blackhole"


@both_ways
async def test_other_rules_work_beside_it(exact: str, near: str) -> None:
    async with act(exact, HOLD, "{far}.fin -> delay 100ms", near=near) as s:
        await s.keep_out()
        s.far.fin()
        assert await s.near.read_until_eof() == b""
        await s.reach("CLOSING", "FIN-WAIT-2")
        await s.release()
        assert await s.far.read_until_eof() == b""
        ending = await s.ending()
    assert ending["kept"][s.far_leg.value] >= 0.1


@both_ways
async def test_a_reset_asked_for_ends_the_hold(technique: str, near: str) -> None:
    async with act(technique, HOLD, near=near) as s:
        await s.keep_out()
        await s.act(s.near_leg, "reset")
        assert await s.far.read_until_reset() == b""
        assert (await s.ending())["aborted"] is None


async def test_too_few_pending_bytes_hold_nothing_and_that_is_said(zero_window: str) -> None:
    async with act(zero_window, "client.fin -> hold 200ms at wire") as s:
        await s.client.send(b"too few")
        s.client.fin()
        slipped = await s.happens("fin.slipped", Leg.CLIENT)
        assert await s.server.read_until_eof() == b"too few"
        await s.finish_politely()
        ending = await s.ending()
    assert "kept at the relay" in slipped.fields["why"]
    assert ending["kept"]["client"] >= 0.2
