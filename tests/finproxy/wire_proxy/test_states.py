"""Every closing state, at either end, for as long as asked: watched in the kernel's table, fd or no fd."""

from __future__ import annotations

from finproxy.legs import Leg
from tests.support.stage import both_ways

from .scene import Act, act

HOLD = "{near}.fin -> hold at wire"


async def _open_and_wait(s: Act, near: str, far: str) -> None:
    """See that both endpoints stay where they are until the near one has asked again in vain."""
    await s.reach(near, far)
    await s.outlast(s.near_leg)
    assert s.states == (near, far)


@both_ways
async def test_fin_wait_1_and_established(technique: str, host: str, near: str) -> None:
    async with act(technique, HOLD, near=near, host=host) as s:
        await s.fill()
        s.near.close()
        await s.happens("fin.held")
        await _open_and_wait(s, "FIN-WAIT-1", "ESTABLISHED")


@both_ways
async def test_fin_wait_1_and_close_wait(technique: str, host: str, near: str) -> None:
    """Row 2 of Table 154: no close leads there, a FIN in the near endpoint's name does."""
    async with act(technique, HOLD, near=near, host=host) as s:
        await s.keep_out()
        await s.act(s.near_leg, "fin")
        assert await s.far.read_until_eof() == b""
        await _open_and_wait(s, "FIN-WAIT-1", "CLOSE-WAIT")
        await s.release()
        await s.reach("FIN-WAIT-2", "CLOSE-WAIT")
        s.far.fin()
        assert await s.near.read_until_eof() == b""
        await s.closed()


@both_ways
async def test_fin_wait_2_and_close_wait(technique: str, near: str) -> None:
    async with act(technique, HOLD, near=near) as s:
        await s.keep_out()
        await s.release()
        assert await s.far.read_until_eof() == s.sent
        await s.reach("FIN-WAIT-2", "CLOSE-WAIT")
        await s.far.send(b"still there")
        assert await s.near.receive(11) == b"still there"
        assert s.states == ("FIN-WAIT-2", "CLOSE-WAIT")


@both_ways
async def test_closing_and_established(technique: str, host: str, near: str) -> None:
    async with act(technique, HOLD, near=near, host=host) as s:
        await s.keep_out()
        await s.act(s.far_leg, "fin")
        assert await s.near.read_until_eof() == b""
        await _open_and_wait(s, "CLOSING", "ESTABLISHED")
        s.near.close()  # the fd goes, the state stays
        await _open_and_wait(s, "CLOSING", "ESTABLISHED")
        await s.release()
        await s.reach("TIME-WAIT", "CLOSE-WAIT")


async def test_closing_at_both_ends(technique: str, host: str) -> None:
    async with act(technique, "any.fin -> hold at wire", host=host) as s:
        await s.fill()
        await s.fill(s.far)
        s.near.fin()
        s.far.fin()
        await s.story.until("fin.held", count=2)
        await s.reach("FIN-WAIT-1", "FIN-WAIT-1")
        await s.act(s.near_leg, "fin")
        await s.act(s.far_leg, "fin")
        await _open_and_wait(s, "CLOSING", "CLOSING")
        await s.proxy.release_all()
        await s.closed()
        await s.reach("TIME-WAIT", "TIME-WAIT")


@both_ways
async def test_last_ack_and_fin_wait_2(technique: str, host: str, near: str) -> None:
    async with act(technique, HOLD, near=near, host=host) as s:
        s.far.fin()
        assert await s.near.read_until_eof() == b""
        await s.reach("CLOSE-WAIT", "FIN-WAIT-2")
        await s.fill()
        s.near.close()
        await s.happens("fin.held", s.near_leg)
        await _open_and_wait(s, "LAST-ACK", "FIN-WAIT-2")
        await s.release()
        assert await s.far.read_until_eof() == s.sent
        await s.reach("no row", "TIME-WAIT")
        await s.closed()


@both_ways
async def test_last_ack_and_time_wait(technique: str, host: str, near: str) -> None:
    """Row 5 of Table 154: the far endpoint has seen it all, the near one's last FIN is not acknowledged."""
    async with act(technique, HOLD, near=near, host=host) as s:
        s.far.close()
        assert await s.near.read_until_eof() == b""
        await s.fill()
        s.near.fin()
        await s.happens("fin.held", s.near_leg)
        await s.act(s.near_leg, "fin")
        await _open_and_wait(s, "LAST-ACK", "TIME-WAIT")
        await s.release()
        await s.reach("no row", "TIME-WAIT")
        await s.closed()


async def test_table_154_in_lock_step(technique: str) -> None:
    """The client closes first; each row waits until it has been seen."""
    async with act(technique, "any.fin -> hold at wire") as s:
        await s.fill()
        s.client.fin()
        await s.happens("fin.held", Leg.CLIENT)
        await s.reach("FIN-WAIT-1", "ESTABLISHED")
        await s.act(Leg.CLIENT, "fin")
        await s.reach("FIN-WAIT-1", "CLOSE-WAIT")
        await s.release()
        await s.reach("FIN-WAIT-2", "CLOSE-WAIT")
        await s.server.read_until_eof()
        await s.fill(s.server)
        s.server.fin()
        await s.happens("fin.held", Leg.SERVER)
        await s.reach("FIN-WAIT-2", "LAST-ACK")
        await s.act(Leg.SERVER, "fin")
        await s.reach("TIME-WAIT", "LAST-ACK")
        await s.proxy.release(s.number, Leg.SERVER)
        await s.reach("TIME-WAIT", "no row")
        await s.closed()
