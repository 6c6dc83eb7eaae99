"""A proxy with a rule at wire, and its endpoints as the kernel shows them, orphans included."""

from __future__ import annotations

import ipaddress
import os
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import trio

import finproxy
from finproxy.legs import Address, Connection, Leg
from finproxy.wire.tcp_info import KernelState
from tests.support.peers import Peer, Upstream, connect, listening, patience
from tests.support.stage import Stage, Story, proxy_before

PENDING = 100_000
"""Bytes: more than zero-window's window takes, less than the sender's kernel does."""

GONE = "no row"


class Row(NamedTuple):
    """One endpoint in the kernel's table."""

    state: str
    timer: int
    """Hundredths of a second until it asks again: sends a segment once more, or asks for the window."""


def row(endpoint: Connection) -> Row:
    """What the kernel shows of an endpoint now; `GONE` where it has forgotten it."""
    wanted = [_spelled(endpoint.local), _spelled(endpoint.remote)]
    table = "/proc/net/tcp6" if ":" in endpoint.local[0] else "/proc/net/tcp"
    for line in Path(table).read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == wanted:
            return Row(str(KernelState(int(fields[3], 16))), int(fields[5].partition(":")[2], 16))
    return Row(GONE, 0)


def _spelled(address: Address) -> str:
    packed = ipaddress.ip_address(address[0]).packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{address[1]:04X}"


@dataclass
class Act(Stage):
    """One session of a proxy that acts at the wire."""

    number: int = 1
    technique: str = ""
    endpoints: dict[Leg, Connection] = field(default_factory=dict)
    sent: bytes = b""
    """What the near endpoint has sent."""

    def state(self, leg: Leg) -> str:
        """The TCP state of an endpoint."""
        return row(self.endpoints[leg]).state

    @property
    def states(self) -> tuple[str, str]:
        """Those of the near and the far endpoint."""
        return self.state(self.near_leg), self.state(self.far_leg)

    async def reach(self, near: str, far: str) -> None:
        """Wait until the near and the far endpoint are in these states."""
        with patience(f"{near} and {far}; the last were {self.states}, the story {self.lines()}"):
            while self.states != (near, far):  # noqa: ASYNC110 - no event tells what the kernel does
                await trio.sleep(0.001)

    async def outlast(self, leg: Leg, more: int = 1) -> None:
        """Wait until an endpoint has asked again in vain, and see that this does not change its state."""
        now = begun = row(self.endpoints[leg])
        with patience(f"{leg} to send again in {begun.state}"):
            while more:
                before, now = now, row(self.endpoints[leg])
                assert now.state == begun.state
                more -= now.timer > before.timer  # it ran out and was started again
                await trio.sleep(0.001)

    async def fill(self, peer: Peer | None = None) -> None:
        """Let the near endpoint, or another, send what the technique needs to hold a FIN behind it."""
        if self.technique == "zero-window":
            self.sent = self.sent or os.urandom(PENDING)
            await (peer or self.near).leave_to_kernel(self.sent)

    async def happens(self, event: str, leg: Leg | None = None) -> finproxy.Record:
        """Wait for a record of this session."""
        return await self.story.until(event, leg, self.number)

    async def happens_first(self, *events: str) -> str:
        """Wait until one of these has happened: which."""
        return await self.story.first(*events, session=self.number)

    async def keep_out(self) -> finproxy.Record:
        """Let the near endpoint half-close, and wait until its FIN is held."""
        await self.fill()
        self.near.fin()
        held = await self.happens("fin.held", self.near_leg)
        await self.reach("FIN-WAIT-1", self.state(self.far_leg))
        return held

    async def act(self, leg: Leg, action: str) -> None:
        """Do something in the name of an endpoint."""
        await self.proxy.act(self.number, leg, action)

    async def release(self) -> None:
        """Let the near endpoint's FIN in."""
        await self.proxy.release(self.number, self.near_leg)

    def lines(self) -> list[str]:
        """The story of this session's FINs, in short."""
        return [
            f"{r.event} {r.leg}"
            for r in self.story.records
            if r.session == self.number and r.event.startswith(("fin", "rule", "reset"))
        ]

    async def closed(self) -> finproxy.Record:
        return await self.happens("session.closed")


@dataclass
class Scene:
    """A proxy, and the server behind it."""

    proxy: finproxy.Proxy
    story: Story
    upstream: Upstream
    near_leg: Leg
    technique: str

    async def act(self) -> Act:
        """Another session."""
        client = await connect(self.proxy.address)
        server = await self.upstream.accept()
        opened = await self._opened(client)
        assert opened.session is not None
        session = self.proxy.sessions[opened.session]
        return Act(
            self.proxy,
            self.story,
            client,
            server,
            self.near_leg,
            opened.session,
            self.technique,
            {Leg.CLIENT: session.client, Leg.SERVER: session.server},
        )

    async def _opened(self, client: Peer) -> finproxy.Record:
        count = 1
        while True:
            record = await self.story.until("session.opened", count=count)
            if tuple(record.fields["client"]) == client.address:
                return record
            count += 1


@asynccontextmanager
async def scene(
    technique: str | None, *rules: str, near: str = "client", host: str = "127.0.0.1", **settings: Any
) -> AsyncIterator[Scene]:
    """A proxy with these rules, which uses this technique."""
    leg = Leg(near)
    spelled = [rule.format(near=leg, far=leg.other) for rule in rules]
    async with (
        listening(host) as upstream,
        proxy_before(upstream, *spelled, host=host, wire=technique, **settings) as (proxy, story),
    ):
        yield Scene(proxy, story, upstream, leg, technique or "")


@asynccontextmanager
async def act(technique: str | None, *rules: str, **settings: Any) -> AsyncIterator[Act]:
    """One session through such a proxy."""
    async with scene(technique, *rules, **settings) as told:
        yield await told.act()


def by_leg(near: str, state: str, far_state: str) -> tuple[str, str]:
    """The states of the near and the far endpoint as those of the client and the server."""
    return (state, far_state) if near == "client" else (far_state, state)


class Glance:
    """An observer that looks at both endpoints while the proxy stands still at one of its records."""

    def __init__(self, event: str, expected: tuple[str, str], count: int = 1) -> None:
        self.seen: tuple[str, str] | None = None
        self.expected = expected
        self._event, self._left = event, count
        self._endpoints: tuple[Connection, Connection] | None = None

    def __call__(self, record: finproxy.Record) -> None:
        """Observe."""
        if record.event == "session.opened":
            client, listen, local, server = (
                tuple(record.fields[name]) for name in ("client", "listen", "local", "server")
            )
            self._endpoints = Connection(client, listen), Connection(server, local)
        self._left -= record.event == self._event
        if self._left == 0 and self.seen is None:
            _spin(lambda: self._look() == self.expected)
            self.seen = self._look()

    def _look(self) -> tuple[str, str]:
        assert self._endpoints
        client, server = self._endpoints
        return row(client).state, row(server).state


def _spin(holds: Callable[[], bool], within: float = 2.0) -> None:
    """Give the kernel a moment for the segment that has just left."""
    deadline = time.monotonic() + within
    while not holds() and time.monotonic() < deadline:
        pass
