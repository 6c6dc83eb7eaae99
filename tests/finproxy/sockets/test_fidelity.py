"""Without rules the proxy cannot be told from a direct connection, as far as a process can manage."""

from __future__ import annotations

import hashlib
import socket

import pytest
import trio

from finproxy import relay, server, sockets
from finproxy.legs import Leg
from finproxy.readiness import EpollReadiness, Readiness, TrioReadiness
from finproxy.sockets import SocketLeg
from tests.support.peers import Peer, connect, listening, patience
from tests.support.stage import Stage, both_ways, proxy_before, stage

BLOCK = bytes(range(256)) * 256
"""64 KiB."""

INSIDE_THE_KERNEL = 2 * (34 + 5) * 2**20
"""The most that the socket buffers of two legs hold under Linux' defaults for large machines."""


async def send_blocks(peer: Peer, count: int) -> None:
    """Send `count` blocks of 64 KiB and a FIN."""
    for _ in range(count):
        await peer.send(BLOCK)
    peer.fin()


async def flow_is_blocked(s: Stage) -> None:
    """Wait until the proxy has bytes of the near endpoint for which the far one has no room."""
    with patience("the flow to be blocked at the far endpoint"):
        while not s.proxy.sessions[1]._shell.flows[s.near_leg].blocked:
            await trio.lowlevel.checkpoint()


def digest(*blocks: bytes) -> str:
    return hashlib.sha256(b"".join(blocks)).hexdigest()


# --- half-close -----------------------------------------------------------------------------------


@both_ways
@pytest.mark.parametrize("blocks", [0, 1, 200])
async def test_answer_after_a_half_close_arrives_whole_however_late(near: str, blocks: int) -> None:
    async with stage(near=near) as s, trio.open_nursery() as nursery:
        await s.near.send(b"question")
        s.near.fin()
        assert await s.far.read_until_eof() == b"question"
        await trio.sleep(0.2)  # the point of the test: an answer that takes its time
        nursery.start_soon(send_blocks, s.far, blocks)
        assert digest(await s.near.read_until_eof()) == digest(BLOCK * blocks)
        ending = await s.ending()
    assert ending["lost"] == 0
    assert ending["bytes"][s.far_leg.value] == len(BLOCK) * blocks
    assert "reset" not in str(s.story.lines())


async def test_both_endpoints_may_close_at_the_same_time() -> None:
    async with stage() as s:
        await s.client.send(b"ping")
        await s.server.send(b"pong")
        s.client.fin()
        s.server.fin()
        assert await s.server.read_until_eof() == b"ping"
        assert await s.client.read_until_eof() == b"pong"
        assert (await s.ending())["lost"] == 0


@both_ways
async def test_close_right_after_a_large_body_loses_nothing(near: str) -> None:
    async with stage(near=near) as s, trio.open_nursery() as nursery:

        async def send_and_leave() -> None:
            for _ in range(100):
                await s.near.send(BLOCK)
            s.near.close()

        nursery.start_soon(send_and_leave)
        assert digest(await s.far.read_until_eof()) == digest(BLOCK * 100)
        s.far.close()
        ending = await s.ending()
    assert ending["ended"] == {"client": "fin", "server": "fin"}
    assert "reset" not in str(s.story.lines())


async def test_session_over_ipv6() -> None:
    async with stage(host="::1") as s:
        await s.client.send(b"question")
        s.client.fin()
        assert await s.server.read_until_eof() == b"question"
        await s.finish_politely()
        await s.closed()
        opened = s.story.find("session.opened")[0].fields
    assert [opened[name][0] for name in ("client", "listen", "local", "server")] == ["::1"] * 4
    assert s.proxy.url == f"[::1]:{s.proxy.address[1]}"


async def test_addresses_in_the_records_are_the_kernels() -> None:
    async with stage() as s:
        opened = s.story.find("session.opened")[0].fields
        assert tuple(opened["client"]) == s.client.address
        assert tuple(opened["listen"]) == s.proxy.address
        assert tuple(opened["server"]) == s.server.address
        assert tuple(opened["local"]) == s.proxy.sessions[1].server.remote


async def test_records_can_be_read_as_a_stream() -> None:
    async with (
        listening() as upstream,
        proxy_before(upstream) as (proxy, story),
        proxy.records() as records,
    ):
        client = await connect(proxy.address)
        server = await upstream.accept()
        client.close()
        server.close()
        seen = []
        with patience("the end of the session in the stream"):
            async for record in records:
                seen.append(record)
                if record.event == "session.closed":
                    break
        assert seen == story.records[-len(seen) :]


async def test_stream_of_records_ends_for_a_reader_that_is_too_slow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "_RECORDS_WAITING", 3)
    async with stage() as s, s.proxy.records() as records:
        s.client.fin()
        s.server.fin()
        await s.closed()
        with patience("the end of the stream"):
            seen = [record.event async for record in records]
    assert len(seen) == 3
    assert "unplugged" in caplog.text


# --- reset ----------------------------------------------------------------------------------------


@both_ways
async def test_bytes_that_nobody_takes_in_time_are_lost_with_the_reset_and_counted(near: str) -> None:
    async with stage(near=near, delivery_limit=0.1) as s:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_blocks, s.near, 10_000)
            await flow_is_blocked(s)
            nursery.cancel_scope.cancel()
        s.near.rst()
        received = await s.story.until("reset.received", near)
        ending = await s.ending()
        got = await s.far.read_until_reset()
    assert got == (BLOCK * (len(got) // len(BLOCK) + 1))[: len(got)]
    assert ending["lost"] > 0
    assert {why for _, _, why in await s.losses()} == {f"the {near} reset the connection"}
    assert len(got) + ending["lost"] >= received.fields["bytes"]
    assert ending["duration"] - received.t < 5


@both_ways
async def test_no_reset_waits_for_a_reader_that_has_reset_as_well(near: str) -> None:
    async with stage(near=near, delivery_limit=60) as s:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_blocks, s.near, 10_000)
            nursery.start_soon(send_blocks, s.far, 10_000)
            await flow_is_blocked(s)
            nursery.cancel_scope.cancel()
        s.near.rst()
        s.far.rst()
        ending = await s.ending()
    assert ending["ended"] == {"client": "reset", "server": "reset"}
    assert ending["lost"] > 0


@both_ways
async def test_reset_waits_for_a_slow_reader_and_loses_nothing(near: str) -> None:
    async with stage(near=near) as s:
        await s.near.send(BLOCK * 4)
        with patience("the proxy to have read it all"):
            while s.proxy.sessions[1].bytes_from(s.near_leg) < 4 * len(BLOCK):
                await trio.lowlevel.checkpoint()
        s.near.rst()
        await s.story.until("reset.received", near)
        assert digest(await s.far.read_until_reset()) == digest(BLOCK * 4)
        assert (await s.ending())["lost"] == 0


async def test_reset_is_relayed_in_time_also_when_the_reader_stops_after_it_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "_BUFFER", memoryview(bytearray(1024)))
    monkeypatch.setattr(
        relay, "_CHUNKS_A_TURN", 1
    )  # the first turn after the reset ends before the room does
    async with stage(near="server", client_receive_buffer=4096, delivery_limit=0.1) as s:
        leg = s.proxy.sessions[1]._shell.legs[Leg.CLIENT]
        assert isinstance(leg, SocketLeg)
        leg.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        await s.server.send(BLOCK[:50_000])
        s.server.rst()
        await s.story.until("reset.received", "server")
        assert (await s.ending())["lost"] > 0


# --- the proxy itself never causes a reset --------------------------------------------------------


@both_ways
async def test_bytes_after_a_premature_fin_do_not_provoke_a_reset(near: str) -> None:
    async with stage("{near}.connect -> fin", near=near) as s:
        assert await s.far.read_until_eof() == b""
        await s.near.send(BLOCK * 20)
        s.near.fin()
        await s.finish_politely()
        assert await s.losses() == [(near, 20 * len(BLOCK), s.rule)]
    assert s.story.lines("reset") == []


@both_ways
async def test_bytes_that_cross_the_fin_on_the_way_arrive(near: str) -> None:
    async with stage(near=near) as s:
        s.near.fin()
        for _ in range(50):
            await s.far.send(b"x" * 100)
        s.far.fin()
        assert await s.near.read_until_eof() == b"x" * 5000
        assert await s.far.read_until_eof() == b""
        await s.closed()
    assert s.story.lines("reset") == []


# --- back-pressure --------------------------------------------------------------------------------


@both_ways
async def test_writer_stops_when_the_reader_stops(near: str) -> None:
    async with stage(near=near) as s, trio.open_nursery() as nursery:
        sent = 0

        async def write() -> None:
            nonlocal sent
            while True:
                await s.near.send(BLOCK)
                sent += len(BLOCK)

        nursery.start_soon(write)
        await flow_is_blocked(s)
        read_by_proxy = s.proxy.sessions[1].bytes_from(Leg(near))
        await trio.sleep(0.1)  # time in which a proxy without back-pressure would go on reading
        assert s.proxy.sessions[1].bytes_from(Leg(near)) - read_by_proxy < INSIDE_THE_KERNEL
        assert sent < 2 * INSIDE_THE_KERNEL
        await s.far.receive(INSIDE_THE_KERNEL)  # the reader goes on, and so does the writer
        nursery.cancel_scope.cancel()


# --- socket options, and every way to wait --------------------------------------------------------


def test_a_leg_sends_small_messages_at_once_probes_silent_peers_and_loses_no_urgent_byte() -> None:
    with sockets.listen(("127.0.0.1", 0)) as listener:
        listener.setblocking(True)
        with socket.create_connection(listener.getsockname()) as dialled, listener.accept()[0] as accepted:
            sockets.as_leg(dialled)
            sockets.accepted_leg(accepted)

            for sock in (dialled, accepted):
                assert not sock.getblocking()
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE)
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


@pytest.fixture(params=[EpollReadiness, TrioReadiness])
def readiness(request: pytest.FixtureRequest) -> type[Readiness]:
    """Each way to wait for sockets."""
    kind: type[Readiness] = request.param
    return kind


@both_ways
async def test_slow_reader_gets_every_byte_and_a_fin(near: str, readiness: type[Readiness]) -> None:
    async with (
        stage(near=near, client_receive_buffer=4096, readiness=readiness()) as s,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(send_blocks, s.near, 1000)
        await flow_is_blocked(s)
        got = bytearray()
        while some := await s.far.receive_some(200_000):
            got += some
            await trio.lowlevel.checkpoint()
        assert digest(bytes(got)) == digest(BLOCK * 1000)
        s.far.fin()
        assert await s.near.read_until_eof() == b""
        await s.closed()
    assert s.story.lines("reset") == []


@both_ways
async def test_half_close_with_every_readiness(near: str, readiness: type[Readiness]) -> None:
    async with stage(near=near, readiness=readiness()) as s, trio.open_nursery() as nursery:
        nursery.start_soon(send_blocks, s.near, 200)
        assert digest(await s.far.read_until_eof()) == digest(BLOCK * 200)
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0


@both_ways
async def test_reset_with_every_readiness(near: str, readiness: type[Readiness]) -> None:
    async with stage(near=near, readiness=readiness()) as s:
        await s.near.send(b"question")
        assert await s.far.receive(8) == b"question"
        s.near.rst()
        assert await s.far.read_until_reset() == b""
        assert (await s.ending())["ended"][near] == "reset"


@both_ways
async def test_held_fin_with_every_readiness(near: str, readiness: type[Readiness]) -> None:
    async with stage("{near}.fin -> hold", near=near, readiness=readiness()) as s:
        s.near.fin()
        await s.story.until("fin.held")
        await s.proxy.release(1, near)
        assert await s.far.read_until_eof() == b""
        await s.finish_politely()
        await s.closed()
