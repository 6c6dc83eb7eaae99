"""Sessions between fake endpoints, by Trio's autojump clock: what is seen, and exactly when."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from finproxy.legs import FlowEnd, Leg
from finproxy.reading import NotationError
from finproxy.session import NotHeldError
from finproxy.testing import open_session, run_script


async def test_without_rules_bytes_and_fins_pass_at_once(autojump_clock: MockClock) -> None:
    stage = await run_script(
        """
        client sends 'ping'
        server sees 'ping'
        client sends FIN
        server sees FIN
        +1h server sends 'pong'
        client sees 'pong'
        server sends FIN
        client sees FIN
        """
    )
    assert stage.events() == [
        "session.opened",
        "client fin.received",
        "server fin.sent",
        "server fin.received",
        "client fin.sent",
        "session.closed",
    ]


async def test_a_reset_passes_as_a_reset(autojump_clock: MockClock) -> None:
    stage = await run_script("server sends 'part'\nserver sends RST\nclient sees 'part'\nclient sees RST")
    assert stage.session.ending
    assert stage.session.ending.server.ended is FlowEnd.RESET
    assert stage.session.ending.lost == 0


async def test_a_reset_after_a_fin_passes_after_the_fin(autojump_clock: MockClock) -> None:
    await run_script(
        """
        client sends FIN
        server sees FIN
        +5s client sends RST
        server sees RST
        """
    )


async def test_a_delayed_fin_is_seen_when_its_time_is_up(autojump_clock: MockClock) -> None:
    stage = await run_script(
        """
        client sends FIN
        +1.999s server sees nothing
        +1ms server sees FIN
        """,
        "client.fin -> delay 2s",
    )
    assert stage.session.kept(Leg.CLIENT) is None


async def test_bytes_before_a_delayed_fin_are_not_delayed(autojump_clock: MockClock) -> None:
    await run_script(
        """
        client sends 'last words'
        client sends FIN
        server sees 'last words'
        +2s server sees FIN
        """,
        "client.fin -> delay 2s",
    )


async def test_a_delayed_reset_is_seen_when_its_time_is_up(autojump_clock: MockClock) -> None:
    await run_script("client sends RST\n+2s server sees RST", "client.reset -> delay 2s")


@pytest.mark.parametrize("seed", range(8))
async def test_jitter_stays_within_its_bounds(seed: int, autojump_clock: MockClock) -> None:
    async with open_session("client.fin -> delay 2s~200ms", seed=seed) as stage:
        await stage.client.send_fin()
        started = trio.current_time()
        assert await stage.server.receive() is FlowEnd.FIN
        assert 1.8 <= trio.current_time() - started <= 2.2


async def test_a_seed_gives_the_same_jitter_again_and_another_seed_another(autojump_clock: MockClock) -> None:
    async def delay(seed: int) -> float:
        async with open_session("client.fin -> delay 2s~200ms", seed=seed) as stage:
            await stage.client.send_fin()
            started = trio.current_time()
            await stage.server.receive()
            return trio.current_time() - started

    assert await delay(1) == pytest.approx(await delay(1))
    assert await delay(1) != pytest.approx(await delay(2))


async def test_a_hold_lasts_until_it_is_released(autojump_clock: MockClock) -> None:
    stage = await run_script(
        """
        client sends FIN
        +24h server sees nothing
        release client
        server sees FIN
        """,
        "client.fin -> hold",
    )
    assert stage.events()[1:6] == [
        "client fin.received",
        "client rule.fired",
        "client fin.held",
        "client fin.released",
        "server fin.sent",
    ]
    assert stage.records[4].fields == {"kept": 86400.0, "why": "request"}


async def test_a_hold_ends_at_its_limit(autojump_clock: MockClock) -> None:
    await run_script("client sends FIN\n+5s server sees FIN", "client.fin -> hold 5s")


async def test_a_hold_can_be_asked_for_without_any_rule(autojump_clock: MockClock) -> None:
    await run_script(
        """
        hold server
        server sends FIN
        +1h client sees nothing
        release server
        client sees FIN
        """
    )


async def test_releasing_what_is_not_held_says_so(autojump_clock: MockClock) -> None:
    async with open_session() as stage:
        with pytest.raises(NotHeldError, match="nothing of the client is held"):
            stage.session.release(Leg.CLIENT)


async def test_holding_what_has_gone_by_says_so(autojump_clock: MockClock) -> None:
    async with open_session() as stage:
        await stage.client.send_fin()
        await stage.server.receive()
        with pytest.raises(NotHeldError, match="the end of the client's flow has gone by already"):
            stage.session.hold(Leg.CLIENT)


async def test_a_dropped_fin_is_never_seen_and_the_other_flow_goes_on(autojump_clock: MockClock) -> None:
    await run_script(
        """
        client sends 'x'
        client sends FIN
        server sees 'x'
        server sends 'y'
        client sees 'y'
        +24h server sees nothing
        """,
        "client.fin -> drop",
    )


async def test_reorder_shows_the_second_fin_first(autojump_clock: MockClock) -> None:
    await run_script(
        """
        client sends FIN
        +1h server sees nothing
        server sends FIN
        client sees FIN
        server sees FIN
        """,
        "client.fin -> reorder",
    )


async def test_simultaneous_shows_both_fins_once_both_have_come(autojump_clock: MockClock) -> None:
    await run_script(
        """
        server sends FIN
        +1h client sees nothing
        client sends FIN
        client sees FIN
        server sees FIN
        """,
        "any.fin -> simultaneous",
    )


async def test_idle_counts_from_the_last_byte(autojump_clock: MockClock) -> None:
    await run_script(
        """
        +3s client sends 'x'
        server sees 'x'
        +4s client sends 'y'
        server sees 'y'
        +4.999s server sees nothing
        +1ms server sees RST
        client sees RST
        """,
        "client.idle 5s -> reset",
    )


async def test_an_endpoint_that_has_sent_its_fin_is_not_idle(autojump_clock: MockClock) -> None:
    await run_script("client sends FIN\nserver sees FIN\n+1h client sees nothing", "client.idle 5s -> reset")


async def test_after_counts_from_the_opening_whatever_moves(autojump_clock: MockClock) -> None:
    await run_script(
        """
        +3s client sends 'x'
        server sees 'x'
        +2s server sees FIN
        """,
        "client.after 5s -> fin",
    )


async def test_full_close_ends_both_flows_at_once(autojump_clock: MockClock) -> None:
    await run_script("client sends FIN\nserver sees FIN\nclient sees FIN", "client.fin -> full-close")


async def test_nothing_moves_in_a_blackhole(autojump_clock: MockClock) -> None:
    stage = await run_script(
        """
        +1s client sends 'lost'
        client sends FIN
        +24h server sees nothing
        server sends 'lost too'
        +24h client sees nothing
        abort
        client sees RST
        server sees RST
        """,
        "any.after 1s -> blackhole",
    )
    assert stage.session.ending
    assert [(loss.bytes, loss.why) for loss in stage.session.ending.losses] == [
        (4, "any.after 1s -> blackhole"),
        (8, "any.after 1s -> blackhole"),
    ]


async def test_a_reset_waits_for_an_endpoint_that_acknowledges_late(autojump_clock: MockClock) -> None:
    async with open_session() as stage:
        stage.server.set_window(0)
        await stage.client.send(b"before")
        await stage.client.reset()
        with trio.move_on_after(5) as waiting:
            await stage.server.wait_reset()
        assert waiting.cancelled_caught
        stage.server.set_window(100)
        assert await stage.server.receive_to_end() == (b"before", FlowEnd.RESET)
        assert stage.session.ending
        assert stage.session.ending.lost == 0


async def test_a_reset_waits_no_longer_than_the_delivery_limit_and_counts_what_is_lost(
    autojump_clock: MockClock,
) -> None:
    async with open_session(delivery_limit=3) as stage:
        stage.server.set_window(0)
        await stage.client.send(b"lost")
        await trio.testing.wait_all_tasks_blocked()
        started = trio.current_time()
        await stage.client.reset()
        await stage.server.wait_reset()
        assert trio.current_time() - started == pytest.approx(3, abs=0.051)
        assert stage.session.ending
        assert [(loss.leg, loss.bytes) for loss in stage.session.ending.losses] == [(Leg.CLIENT, 4)]


async def test_a_leg_that_the_kernel_gives_up_ends_the_other_with_a_reset(autojump_clock: MockClock) -> None:
    async with open_session() as stage:
        await stage.client.vanish("connection timed out")
        assert await stage.server.receive() is FlowEnd.RESET
        assert "client leg.failed" in stage.events()
        assert stage.session.ending
        assert stage.session.ending.client.ended is FlowEnd.FAILED


async def test_an_abort_resets_both_endpoints_and_says_why(autojump_clock: MockClock) -> None:
    stage = await run_script("abort\nclient sees RST\nserver sees RST")
    assert stage.session.ending
    assert stage.session.ending.aborted == "the script says so"


async def test_a_cancelled_session_leaves_no_leg_behind(autojump_clock: MockClock) -> None:
    async with open_session() as stage:
        pass
    assert await stage.client.receive() is FlowEnd.RESET
    assert await stage.server.receive() is FlowEnd.RESET


async def test_a_defect_ends_its_session_with_resets_and_a_record(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_session() as stage:
        stage.session._shell.mark_reached = None  # type: ignore[method-assign, assignment]
        stage.session._shell.flows[Leg.CLIENT].mark(1)
        await stage.client.send(b"x")
        assert await stage.client.receive() is FlowEnd.RESET
        assert "session.crashed" in stage.events()
        assert "session 1 crashed" in caplog.text


async def test_a_script_names_the_line_that_went_otherwise(autojump_clock: MockClock) -> None:
    with pytest.raises(AssertionError, match=r"server sees 'pong': saw b'ping' after 0s"):
        await run_script("client sends 'ping'\nserver sees 'pong'")
    with pytest.raises(AssertionError, match=r"\+1s server sees FIN: saw it after 0s"):
        await run_script("client sends FIN\n+1s server sees FIN")
    with pytest.raises(AssertionError, match="server sees FIN: saw nothing for 24h"):
        await run_script("server sees FIN")
    with pytest.raises(AssertionError, match=r"\+1s server sees nothing: saw b'ping'"):
        await run_script("client sends 'ping'\n+1s server sees nothing")


@pytest.mark.parametrize(
    ("line", "column"),
    [("clint sends FIN", 1), ("client sents FIN", 8), ("client sends FON", 14), ("client sees FIN now", 17)],
)
async def test_a_line_that_cannot_be_read_is_answered_with_its_column(line: str, column: int) -> None:
    with pytest.raises(NotationError) as caught:
        await run_script(line)
    assert caught.value.column == column
