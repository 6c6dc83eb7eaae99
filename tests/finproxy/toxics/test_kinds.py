"""Each kind of toxic between fake endpoints, by Trio's autojump clock: what is seen, and exactly when."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from finproxy.legs import FlowEnd, Leg
from finproxy.testing import Stage, open_session, run_script
from finproxy.testing.fakes import FakeEndpoint
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
)
from finproxy.toxics.values import Attributes


def up(attributes: Attributes, name: str = "toxic", toxicity: float = 1.0) -> Toxic:
    return Toxic(name, "upstream", attributes, toxicity)


async def timed(endpoint: FakeEndpoint, count: int) -> list[tuple[float, bytes]]:
    """The pieces in which `count` bytes arrive, and when, in milliseconds from now."""
    start, pieces = trio.current_time(), list[tuple[float, bytes]]()
    while sum(len(piece) for _, piece in pieces) < count:
        piece = await endpoint.receive()
        assert isinstance(piece, bytes)
        pieces.append((round((trio.current_time() - start) * 1000, 3), piece))
    return pieces


def losses(stage: Stage) -> list[tuple[int, str]]:
    assert stage.session.ending
    return [(loss.bytes, loss.why) for loss in stage.session.ending.losses]


async def close_both(stage: Stage) -> None:
    """End both flows, and wait until the session is over."""
    await stage.client.send_fin()
    await stage.server.send_fin()
    await stage.session.wait_over()


# --- latency --------------------------------------------------------------------------------------


async def test_latency_delays_bytes_and_its_own_direction_only(autojump_clock: MockClock) -> None:
    await run_script(
        """
        client sends 'ping'
        +99ms server sees nothing
        +1ms server sees 'ping'
        server sends 'pong'
        client sees 'pong'
        """,
        toxics=[up(Latency(latency=100))],
    )


async def test_latency_is_counted_from_when_each_piece_came(autojump_clock: MockClock) -> None:
    await run_script(
        """
        client sends 'one'
        +60ms client sends 'two'
        +40ms server sees 'one'
        +60ms server sees 'two'
        """,
        toxics=[up(Latency(latency=100))],
    )


async def test_two_latencies_add_up(autojump_clock: MockClock) -> None:
    await run_script(
        "client sends 'ping'\n+350ms server sees 'ping'",
        toxics=[up(Latency(latency=100), "one"), up(Latency(latency=250), "two")],
    )


async def test_a_fin_leaves_right_behind_the_bytes_that_latency_delays(autojump_clock: MockClock) -> None:
    await run_script(
        """
        client sends 'ping'
        client sends FIN
        +100ms server sees 'ping'
        server sees FIN
        """,
        toxics=[up(Latency(latency=100))],
    )


async def test_latency_does_not_delay_a_fin_by_itself(autojump_clock: MockClock) -> None:
    await run_script("client sends FIN\nserver sees FIN", toxics=[up(Latency(latency=100))])


async def test_a_reset_stays_a_reset_behind_the_bytes_that_latency_delays(autojump_clock: MockClock) -> None:
    stage = await run_script(
        """
        client sends 'ping'
        client sends RST
        +15s server sees 'ping'
        server sees RST
        """,
        toxics=[up(Latency(latency=15_000))],
    )
    assert losses(stage) == []


async def test_a_reset_after_a_fin_stays_behind_it(autojump_clock: MockClock) -> None:
    await run_script(
        """
        client sends 'ping'
        client sends FIN
        client sends RST
        +1s server sees 'ping'
        server sees FIN
        server sees RST
        """,
        toxics=[up(Latency(latency=1000))],
    )


async def test_jitter_keeps_the_order_and_its_bounds(autojump_clock: MockClock) -> None:
    async with (
        open_session(toxics=[up(Latency(latency=100, jitter=50))]) as stage,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(send_every, stage.client, 0.2, 200)
        pieces = await timed(stage.server, 200 * 3)
    delays = [at - 200 * number for number, (at, _) in enumerate(pieces)]
    assert b"".join(piece for _, piece in pieces) == b"".join(b"%03d" % n for n in range(200))
    assert 50 <= min(delays) < 60
    assert 140 < max(delays) <= 150


async def test_jitter_that_is_larger_than_the_pause_does_not_reorder(autojump_clock: MockClock) -> None:
    async with (
        open_session(toxics=[up(Latency(latency=100, jitter=100))]) as stage,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(send_every, stage.client, 0.01, 200)
        pieces = await timed(stage.server, 200 * 3)
    assert b"".join(piece for _, piece in pieces) == b"".join(b"%03d" % n for n in range(200))


async def send_every(endpoint: FakeEndpoint, pause: float, count: int) -> None:
    for number in range(count):
        await endpoint.send(b"%03d" % number)
        await trio.sleep(pause)


# --- bandwidth ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1, 10, 100, 10_000, 1_000_000])
async def test_bandwidth_takes_the_time_that_the_rate_says(autojump_clock: MockClock, rate: int) -> None:
    size = min(3_000_000, 2_000 * rate)
    async with open_session(toxics=[up(Bandwidth(rate=rate))]) as stage, trio.open_nursery() as nursery:
        nursery.start_soon(stage.client.send, bytes(size))
        pieces = await timed(stage.server, size)
    assert pieces[-1][0] == pytest.approx(size / rate, rel=1e-6)


async def test_bandwidth_is_even(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Bandwidth(rate=10))]) as stage:
        await stage.client.send(bytes(10_000))
        pieces = await timed(stage.server, 10_000)
    assert {len(piece) for _, piece in pieces} == {200}
    assert [at for at, _ in pieces] == pytest.approx([20 * (n + 1) for n in range(50)])


async def test_bandwidth_does_not_save_up_idle_time(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Bandwidth(rate=10))]) as stage:
        await trio.sleep(60)
        await stage.client.send(bytes(1000))
        assert (await timed(stage.server, 1000))[-1][0] == pytest.approx(100)


async def test_nothing_passes_at_rate_0_until_the_toxic_is_removed(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Bandwidth(rate=0))]) as stage:
        await stage.client.send(b"ping")
        await stage.client.send_fin()
        with trio.move_on_after(3600) as nothing:
            await stage.server.receive()
        assert nothing.cancelled_caught
        stage.set_toxics()
        assert await stage.server.receive_to_end() == (b"ping", FlowEnd.FIN)


async def test_a_slow_flow_stops_reading_when_enough_waits(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Bandwidth(rate=1))], room=1000, window=1000) as stage:
        with trio.move_on_after(1):
            await stage.client.send(bytes(10_000_000))
        assert 64_000 < stage.session.bytes_from(Leg.CLIENT) < 70_000


# --- slicer ---------------------------------------------------------------------------------------


async def test_a_slicer_cuts_bytes_into_pieces_some_time_apart(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Slicer(average_size=10, delay=500))]) as stage:
        await stage.client.send(b"0123456789" * 5 + b"rest")
        pieces = await timed(stage.server, 54)
    assert pieces == [*[(0.5 * n, b"0123456789") for n in range(5)], (2.5, b"rest")]


async def test_sizes_vary_within_their_bounds(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Slicer(average_size=10, size_variation=3, delay=1))]) as stage:
        await stage.client.send(bytes(10_000))
        sizes = [len(piece) for _, piece in await timed(stage.server, 10_000)]
    assert set(sizes[:-1]) == set(range(7, 14))
    assert sum(sizes[:-1]) / len(sizes[:-1]) == pytest.approx(10, rel=0.05)


async def test_a_slicer_without_a_size_slices_nothing(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Slicer(delay=1_000_000))]) as stage:
        await stage.client.send(bytes(5000))
        assert await timed(stage.server, 5000) == [(0, bytes(5000))]


# --- slow_close -----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["FIN", "RST"])
async def test_slow_close_delays_the_end_only(autojump_clock: MockClock, end: str) -> None:
    await run_script(
        f"""
        client sends 'ping'
        client sends {end}
        server sees 'ping'
        +2s server sees {end}
        """,
        toxics=[up(SlowClose(delay=2000))],
    )


async def test_while_a_close_is_slow_the_other_direction_goes_on(autojump_clock: MockClock) -> None:
    await run_script(
        """
        client sends FIN
        +1s server sends 'pong'
        client sees 'pong'
        server sends FIN
        client sees FIN
        +1s server sees FIN
        """,
        toxics=[up(SlowClose(delay=2000))],
    )


async def test_a_slow_close_is_in_the_records_under_its_name(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(SlowClose(delay=2000), "tarry")]) as stage:
        await stage.client.send_fin()
        assert await stage.server.receive() is FlowEnd.FIN
    held = next(record for record in stage.records if record.event == "fin.held")
    assert held.fields == {"rule": "tarry", "limit": 2.0}


# --- timeout --------------------------------------------------------------------------------------


async def test_timeout_loses_bytes_and_ends_both_flows_when_none_come(autojump_clock: MockClock) -> None:
    await run_script(
        """
        server sends 'pong'
        client sees 'pong'
        +300ms client sends 'ping'
        +499ms server sees nothing
        +1ms server sees FIN
        client sees FIN
        """,
        toxics=[up(Timeout(timeout=500), "t")],
    )


async def test_bytes_that_a_timeout_has_lost_are_counted_under_its_name(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(Timeout(timeout=500), "gone")]) as stage:
        await stage.client.send(b"ping")
        assert await stage.server.receive() is FlowEnd.FIN
        await close_both(stage)
        assert losses(stage) == [(4, "gone")]
        assert stage.session.ending
        assert stage.session.ending.client.bytes == 4


async def test_timeout_0_never_ends_anything(autojump_clock: MockClock) -> None:
    await run_script("client sends 'ping'\n+24h server sees nothing", toxics=[up(Timeout())])


async def test_a_timeout_that_is_removed_ends_the_session_as_bytes_may_be_missing(
    autojump_clock: MockClock,
) -> None:
    async with open_session(toxics=[up(Timeout())]) as stage:
        await stage.client.send(b"ping")
        await trio.sleep(1)
        stage.set_toxics()
        assert await stage.server.receive() is FlowEnd.FIN
        assert await stage.client.receive() is FlowEnd.FIN


async def test_the_end_passes_a_timeout(autojump_clock: MockClock) -> None:
    await run_script(
        "client sends 'ping'\nclient sends FIN\nserver sees FIN\n+1h server sends 'x'\nclient sees 'x'",
        toxics=[up(Timeout(timeout=500))],
    )


# --- reset_peer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0, 700])
async def test_reset_peer_resets_both_legs_of_an_idle_session(
    autojump_clock: MockClock, timeout: int
) -> None:
    await run_script(
        f"+{timeout}ms server sees RST\nclient sees RST", toxics=[up(ResetPeer(timeout=timeout))]
    )


async def test_reset_peer_works_on_a_live_session_and_nothing_passes_before(
    autojump_clock: MockClock,
) -> None:
    async with open_session() as stage:
        await stage.client.send(b"before")
        assert await stage.server.receive() == b"before"
        await trio.sleep(5)
        stage.set_toxics(up(ResetPeer(timeout=700), "peer"))
        await stage.client.send(b"lost")
        start = trio.current_time()
        assert await stage.server.receive() is FlowEnd.RESET
        assert await stage.client.receive() is FlowEnd.RESET
        assert trio.current_time() - start == pytest.approx(0.7)
        assert losses(stage) == [(4, "peer")]


async def test_a_reset_peer_that_is_removed_in_time_lets_go_what_it_kept(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(ResetPeer(timeout=700))]) as stage:
        await stage.client.send(b"ping")
        await stage.client.send_fin()
        await trio.sleep(0.5)
        stage.set_toxics()
        assert await stage.server.receive_to_end() == (b"ping", FlowEnd.FIN)


async def test_a_reader_that_stalls_does_not_hold_up_a_reset_peer(autojump_clock: MockClock) -> None:
    async with open_session(room=10, window=10, delivery_limit=1.0) as stage:
        with trio.move_on_after(1):
            await stage.client.send(bytes(1000))
        stage.set_toxics(up(ResetPeer(timeout=700)))
        start = trio.current_time()
        await stage.server.wait_reset()
        assert trio.current_time() - start == pytest.approx(0.7 + 1.0, abs=0.1)


async def test_reset_peer_obeys_toxicity(autojump_clock: MockClock) -> None:
    await run_script(
        "client sends 'ping'\nclient sends FIN\nserver sees 'ping'\nserver sees FIN\n+1h client sees nothing",
        toxics=[up(ResetPeer(), toxicity=0)],
    )


# --- limit_data -----------------------------------------------------------------------------------


async def test_limit_data_passes_so_many_bytes_and_ends_both_flows(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(LimitData(bytes=10), "limit")]) as stage:
        await stage.client.send(b"0123456")
        await stage.client.send(b"789abc")
        assert await stage.server.receive_to_end() == (b"0123456789", FlowEnd.FIN)
        assert await stage.client.receive() is FlowEnd.FIN
        await close_both(stage)
        assert losses(stage) == [(3, "limit")]


async def test_limit_data_ends_them_at_the_last_byte_and_not_at_the_next(autojump_clock: MockClock) -> None:
    await run_script(
        "client sends '0123456789'\nserver sees '0123456789'\nserver sees FIN\nclient sees FIN",
        toxics=[up(LimitData(bytes=10))],
    )


async def test_limit_data_of_0_waits_for_the_first_byte(autojump_clock: MockClock) -> None:
    await run_script(
        "+1h server sees nothing\nclient sends '0'\nserver sees FIN\nclient sees FIN",
        toxics=[up(LimitData())],
    )


async def test_limit_data_counts_since_it_was_added_and_goes_on_counting_at_an_update(
    autojump_clock: MockClock,
) -> None:
    async with open_session() as stage:
        await stage.client.send(b"before")
        assert await stage.server.receive() == b"before"
        stage.set_toxics(up(LimitData(bytes=10)))
        await stage.client.send(b"01234567")
        assert await stage.server.receive() == b"01234567"
        stage.set_toxics(up(LimitData(bytes=12)))
        await stage.client.send(b"89abcdef")
        assert await stage.server.receive_to_end() == (b"89ab", FlowEnd.FIN)


# --- fin and noop ---------------------------------------------------------------------------------


async def test_a_rule_is_a_toxic_too(autojump_clock: MockClock) -> None:
    async with open_session(
        "server.fin -> hold", toxics=[up(Fin("server.fin -> delay 2s"), "mine")]
    ) as stage:
        await stage.server.send_fin()
        start = trio.current_time()
        assert await stage.client.receive() is FlowEnd.FIN
        assert trio.current_time() - start == pytest.approx(2)
    assert ("rule.fired", "mine") in [(r.event, r.fields.get("rule")) for r in stage.records]


@pytest.mark.parametrize("attributes", [Fin("client.fin -> hold"), SlowClose(delay=3_600_000)])
async def test_an_end_that_a_toxic_keeps_goes_when_the_toxic_goes(
    autojump_clock: MockClock, attributes: Attributes
) -> None:
    async with open_session(toxics=[up(attributes)]) as stage:
        await stage.client.send_fin()
        await trio.sleep(1)
        stage.set_toxics(up(attributes), up(Noop(), "another"))  # which does not concern it
        with trio.move_on_after(1) as nothing:
            await stage.server.receive()
        assert nothing.cancelled_caught
        stage.set_toxics()
        start = trio.current_time()
        assert await stage.server.receive() is FlowEnd.FIN
        assert trio.current_time() == start


async def test_an_update_of_slow_close_starts_the_wait_again(autojump_clock: MockClock) -> None:
    async with open_session(toxics=[up(SlowClose(delay=10_000))]) as stage:
        await stage.client.send_fin()
        await trio.sleep(9)
        stage.set_toxics(up(SlowClose(delay=5_000)))
        start = trio.current_time()
        assert await stage.server.receive() is FlowEnd.FIN
        assert trio.current_time() - start == pytest.approx(5)


async def test_noop_does_nothing(autojump_clock: MockClock) -> None:
    await run_script(
        "client sends 'ping'\nserver sees 'ping'\nclient sends FIN\nserver sees FIN", toxics=[up(Noop())]
    )


# --- each of them ---------------------------------------------------------------------------------

HARMLESS = [Noop(), Latency(latency=10), Bandwidth(rate=1), Slicer(average_size=1), SlowClose(delay=10)]


@pytest.mark.parametrize("attributes", HARMLESS, ids=str)
@pytest.mark.parametrize("stream", ["upstream", "downstream"])
async def test_half_close_works_through_it(
    autojump_clock: MockClock, attributes: Attributes, stream: str
) -> None:
    async with open_session(toxics=[Toxic("t", stream, attributes)]) as stage:
        await stage.client.send(b"question")
        await stage.client.send_fin()
        assert await stage.server.receive_to_end() == (b"question", FlowEnd.FIN)
        await stage.server.send(b"answer")
        await stage.server.send_fin()
        assert await stage.client.receive_to_end() == (b"answer", FlowEnd.FIN)
        await stage.session.wait_over()
        assert losses(stage) == []


@pytest.mark.parametrize(
    "attributes",
    [Latency(-5, -5), Slicer(-5, -5, -5), SlowClose(-5), Slicer(1, -5, -5), Latency(-(2**63), -(2**63))],
    ids=str,
)
async def test_a_negative_attribute_counts_as_0(autojump_clock: MockClock, attributes: Attributes) -> None:
    await run_script(
        "client sends 'ping'\nserver sees 'ping'\nclient sends FIN\nserver sees FIN", toxics=[up(attributes)]
    )


@pytest.mark.parametrize(
    "attributes",
    [Latency(2**63 - 1, 2**63 - 1), SlowClose(2**63 - 1), Timeout(2**63 - 1), ResetPeer(2**63 - 1)],
)
async def test_the_largest_numbers_are_only_long_waits(
    autojump_clock: MockClock, attributes: Attributes
) -> None:
    await run_script("client sends 'x'\nclient sends FIN\n+1h client sees nothing", toxics=[up(attributes)])


async def test_a_toxic_of_the_other_stream_does_not_count(autojump_clock: MockClock) -> None:
    await run_script(
        "client sends 'ping'\nserver sees 'ping'\nserver sends 'pong'\n+1s client sees 'pong'",
        toxics=[Toxic("t", "downstream", Latency(latency=1000))],
    )
