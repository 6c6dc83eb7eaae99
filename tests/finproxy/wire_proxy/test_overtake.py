"""The FIN ahead of its data, through a proxy: seen out of order, and nothing is lost."""

from __future__ import annotations

import hashlib
import os

import pytest

import finproxy
from finproxy.wire.technique import WireError
from tests.support.stage import both_ways

from .scene import act, scene


@both_ways
async def test_the_fin_overtakes_its_data_and_all_of_it_arrives_in_order(
    socket_filter: str, host: str, near: str
) -> None:
    async with act(socket_filter, "{near}.fin -> overtake 5s at wire", near=near, host=host) as s:
        pieces = [os.urandom(300) for _ in range(5)]
        for piece in pieces:
            await s.near.send(piece)
        s.near.fin()
        received = await s.far.read_until_eof()
        assert hashlib.sha256(received).digest() == hashlib.sha256(b"".join(pieces)).digest()
        await s.finish_politely()
        assert (await s.ending())["lost"] == 0
    assert s.lines()[:4] == [
        f"fin.overtook {near}",
        f"fin.received {near}",
        f"rule.fired {near}",
        f"fin.sent {s.far_leg}",
    ]


@both_ways
async def test_data_whose_fin_does_not_come_is_let_in_after_the_limit(socket_filter: str, near: str) -> None:
    async with act(socket_filter, "{near}.fin -> overtake 50ms at wire", near=near) as s:
        began = s.proxy.sessions[s.number].age
        await s.near.send(b"question")
        assert await s.far.receive(8) == b"question"
        took = s.proxy.sessions[s.number].age - began
        await s.far.send(b"answer")
        assert await s.near.receive(6) == b"answer"
        s.near.fin()
        assert await s.far.read_until_eof() == b""
    assert took >= 0.05
    assert s.story.find("fin.overtook") == []


async def test_a_fin_without_data_has_nothing_to_overtake(socket_filter: str) -> None:
    async with act(socket_filter, "client.fin -> overtake at wire") as s:
        s.client.fin()
        assert await s.server.read_until_eof() == b""
    assert s.story.find("fin.overtook") == []
    assert s.story.find("fin.held") == s.story.find("fin.slipped") == []


@pytest.mark.parametrize("name", ["nfqueue", "zero-window"])
async def test_techniques_that_cannot_refuse_at_start(name: str) -> None:
    with pytest.raises(WireError, match=f"--wire {name}: cannot let a FIN overtake its data"):
        async with scene(name, "client.fin -> overtake at wire"):
            raise AssertionError("the proxy has started")


async def test_the_technique_that_can_is_chosen(socket_filter: str) -> None:
    async with finproxy.open_proxy("127.0.0.1:1", ["client.fin -> overtake at wire"]) as proxy:
        assert proxy._around.wire is not None
        assert proxy._around.wire.technique.name == socket_filter
