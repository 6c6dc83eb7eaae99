"""Rules see bytes and ends when they come out of the toxics' line: exactly where they would without it."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from finproxy.legs import FlowEnd
from finproxy.testing import Stage, open_session
from finproxy.toxics import Bandwidth, Latency, Slicer, Timeout, Toxic
from finproxy.toxics.values import Attributes

LINES = [Latency(latency=50), Bandwidth(rate=1), Slicer(average_size=3, size_variation=2, delay=700)]
every_line = pytest.mark.parametrize("attributes", LINES, ids=str)
every_line_that_waits = pytest.mark.parametrize("attributes", LINES[:2], ids=str)


def up(attributes: Attributes) -> list[Toxic]:
    return [Toxic("t", "upstream", attributes)]


async def lost(stage: Stage) -> list[tuple[int, str]]:
    return [(loss.bytes, loss.why) for loss in (await stage.session.wait_over()).losses]


async def end_with(stage: Stage, *, client: bool = False) -> None:
    await stage.server.send_fin()
    if client:
        await stage.client.send_fin()


@every_line
async def test_a_fin_at_byte_n_comes_behind_exactly_n_bytes(
    autojump_clock: MockClock, attributes: Attributes
) -> None:
    async with open_session("client.bytes 7 -> fin", toxics=up(attributes)) as stage:
        await stage.client.send(b"0123456789")
        assert await stage.server.receive_to_end() == (b"0123456", FlowEnd.FIN)
        await end_with(stage, client=True)
        assert await lost(stage) == [(3, "client.bytes 7 -> fin")]


@every_line
async def test_a_reset_at_byte_n_comes_behind_exactly_n_bytes(
    autojump_clock: MockClock, attributes: Attributes
) -> None:
    async with open_session("client.bytes 7 -> reset", toxics=up(attributes)) as stage:
        await stage.client.send(b"0123456789")
        assert await stage.server.receive_to_end() == (b"0123456", FlowEnd.RESET)
        assert await lost(stage) == [(3, "client.bytes 7 -> reset")]


@every_line
async def test_a_truncated_flow_lacks_exactly_its_last_bytes(
    autojump_clock: MockClock, attributes: Attributes
) -> None:
    async with open_session("client.fin -> truncate 4", toxics=up(attributes)) as stage:
        await stage.client.send(b"0123456789")
        await stage.client.send_fin()
        assert await stage.server.receive_to_end() == (b"012345", FlowEnd.FIN)
        await end_with(stage)
        assert await lost(stage) == [(4, "client.fin -> truncate 4")]


@every_line
async def test_a_blackhole_swallows_what_is_in_the_line(
    autojump_clock: MockClock, attributes: Attributes
) -> None:
    async with open_session("client.bytes 7 -> blackhole", toxics=up(attributes)) as stage:
        await stage.client.send(b"0123456789")
        assert await stage.server.receive_exactly(7) == b"0123456"
        with trio.move_on_after(3600) as nothing:
            await stage.server.receive()
        assert nothing.cancelled_caught
        await stage.client.reset()
        await stage.server.reset()
        assert await lost(stage) == [(3, "client.bytes 7 -> blackhole")]


@every_line
async def test_a_fin_that_is_kept_was_received_behind_the_line(
    autojump_clock: MockClock, attributes: Attributes
) -> None:
    async with open_session("client.fin -> delay 2s", toxics=up(attributes)) as stage:
        await stage.client.send(b"0123456789")
        await stage.client.send_fin()
        assert await stage.server.receive_exactly(10) == b"0123456789"
        arrived = trio.current_time()
        assert await stage.server.receive() is FlowEnd.FIN
        assert trio.current_time() - arrived == pytest.approx(2)
        (received,) = [record for record in stage.records if record.event == "fin.received"]
        assert received.fields["bytes"] == 10


@every_line_that_waits
async def test_a_fin_in_the_name_of_an_endpoint_loses_what_is_still_in_its_line(
    autojump_clock: MockClock, attributes: Attributes
) -> None:
    async with open_session("client.after 0s -> fin", toxics=up(attributes)) as stage:
        await stage.client.send(b"0123456789")
        assert await stage.server.receive() is FlowEnd.FIN
        await end_with(stage, client=True)
        assert await lost(stage) == [(10, "client.after 0s -> fin")]


@every_line_that_waits
async def test_a_session_that_is_aborted_loses_what_is_in_a_line(
    autojump_clock: MockClock, attributes: Attributes
) -> None:
    async with open_session(toxics=up(attributes)) as stage:
        await stage.client.send(b"0123456789")
        await trio.testing.wait_all_tasks_blocked()
        stage.session.abort("enough")
        assert await stage.server.receive() is FlowEnd.RESET
        assert await lost(stage) == [(10, "enough")]


@every_line_that_waits
async def test_what_is_in_a_line_is_lost_with_its_reader(
    autojump_clock: MockClock, attributes: Attributes
) -> None:
    async with open_session(toxics=up(attributes)) as stage:
        await stage.client.send(b"0123456789")
        await trio.testing.wait_all_tasks_blocked()
        await stage.server.reset()
        assert await stage.client.receive() is FlowEnd.RESET
        assert await lost(stage) == [(10, "the server reset the connection")]


async def test_bytes_that_a_toxic_has_lost_count_as_sent(autojump_clock: MockClock) -> None:
    async with open_session("client.bytes 7 -> fin", toxics=up(Timeout())) as stage:
        await stage.client.send(b"0123456789")
        assert await stage.server.receive() is FlowEnd.FIN
        await end_with(stage, client=True)
        assert await lost(stage) == [(10, "t")]


async def test_an_endpoint_is_idle_when_nothing_has_come_out_of_its_line(autojump_clock: MockClock) -> None:
    async with open_session("client.idle 2s -> fin", toxics=up(Latency(latency=1500))) as stage:
        await stage.client.send(b"0123456789")
        assert await stage.server.receive() == b"0123456789"
        start = trio.current_time()
        assert await stage.server.receive() is FlowEnd.FIN
        assert trio.current_time() - start == pytest.approx(2)


async def test_a_reader_that_stalls_is_waited_for_with_a_bound_also_behind_a_line(
    autojump_clock: MockClock,
) -> None:
    toxics = up(Latency(latency=3000))
    async with open_session(toxics=toxics, room=100, window=100, delivery_limit=5.0) as stage:
        with trio.move_on_after(1):
            await stage.client.send(bytes(1000))
        await stage.client.reset()
        start = trio.current_time()
        await stage.session.wait_over()
        assert 5 <= trio.current_time() - start <= 25
        assert await stage.server.receive_to_end() == (bytes(100), FlowEnd.RESET)
