"""How a proxy ends: stopped with grace, cancelled in the middle, or thrown out of; nothing is left behind."""

from __future__ import annotations

import pytest
import trio

import finproxy
from finproxy.readiness import EpollReadiness, Readiness, TrioReadiness
from tests.support.peers import Peer, connect, listening
from tests.support.resources import nothing_left_behind
from tests.support.stage import Story, proxy_before, stage


async def send_for_ever(peer: Peer) -> None:
    """Send until the connection is gone."""
    try:
        while True:
            await peer.send(bytes(65536))
    except trio.BrokenResourceError:
        pass


@pytest.mark.parametrize("kind", [EpollReadiness, TrioReadiness])
@pytest.mark.parametrize("attempt", range(8))  # Trio shuffles the order in which cancelled tasks run
async def test_cancelled_in_mid_transfer_resets_both_ends(kind: type[Readiness], attempt: int) -> None:
    story = Story()
    async with listening() as upstream, trio.open_nursery() as nursery:
        with nothing_left_behind():
            peers: list[Peer] = []
            with trio.CancelScope() as scope:
                async with finproxy.open_proxy(
                    upstream.address, ["client.fin -> hold"], observers=[story], readiness=kind()
                ) as proxy:
                    for _ in range(3):
                        peers += [await connect(proxy.address), await upstream.accept()]
                    held, _, sender, _, _, far = peers
                    held.fin()
                    await story.until("fin.held")
                    nursery.start_soon(send_for_ever, sender)
                    nursery.start_soon(send_for_ever, far)
                    await peers[3].receive(1_000_000)
                    scope.cancel()
                    await trio.sleep_forever()
            assert scope.cancelled_caught
            assert proxy.sessions == {}
            await story.until("session.closed", count=3)
            for peer in peers[0:2] + peers[3:5]:
                await peer.read_until_reset()
            nursery.cancel_scope.cancel()
            for peer in peers:
                peer.close()
    assert {r.fields["aborted"] for r in story.find("session.closed")} <= {
        "the proxy was cancelled",
        "the proxy was stopped",
    }


async def test_error_in_the_block_comes_out_and_ends_the_sessions() -> None:
    async with listening() as upstream:
        with nothing_left_behind():
            peers: list[Peer] = []

            async def fail_in_the_block() -> None:
                async with proxy_before(upstream) as (proxy, _):
                    peers.extend([await connect(proxy.address), await upstream.accept()])
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await fail_in_the_block()
            for peer in peers:
                assert await peer.read_until_reset() == b""
                peer.close()


async def test_stop_lets_sessions_finish() -> None:
    async with stage() as s, trio.open_nursery() as nursery:
        endings: list[finproxy.Ending] = []

        async def stop() -> None:
            endings.extend(await s.proxy.stop(30))

        nursery.start_soon(stop)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(ConnectionRefusedError):
            await connect(s.proxy.address)
        await s.client.send(b"question")
        s.client.fin()
        assert await s.server.read_until_eof() == b"question"
        await s.finish_politely()
    assert endings == []
    assert (await s.ending())["aborted"] is None


async def test_stop_aborts_what_is_left_after_the_grace_and_reports_it() -> None:
    async with stage("client.fin -> hold") as s:
        s.client.fin()
        await s.story.until("fin.held")
        (late,) = await s.proxy.stop(0.05)
        assert await s.client.read_until_reset() == b""
        assert await s.server.read_until_reset() == b""
        assert await s.proxy.stop(0) == []
    assert late.aborted == "the proxy was stopped"
    assert late.client.kept >= 0.05
    assert s.story.lines("session.closed") == ["session.closed"]


async def test_end_of_the_block_gives_sessions_their_grace() -> None:
    async with trio.open_nursery() as nursery, stage(grace=30) as s:

        async def finish() -> None:
            s.client.fin()
            assert await s.server.read_until_eof() == b""
            await s.finish_politely()

        nursery.start_soon(finish)
    assert (await s.ending())["aborted"] is None


async def test_releasing_after_the_end_says_that_there_is_no_such_session() -> None:
    async with stage() as s:
        s.client.rst()
        await s.closed()
        await s.proxy.stop(0)
        with pytest.raises(finproxy.NotHeldError, match="there is no live session 1; live: none"):
            await s.proxy.release(1, "client")
