"""The stage of a test: a client and a server with a proxy between them, and the story that it tells.

Most behaviour is the same in both directions. So a test names its actors `near`, the endpoint whose act
triggers the rule, and `far`, the endpoint that sees what the rule makes of it; rules are written with
``{near}`` and ``{far}``, and the test runs once for each way round.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import trio

import finproxy
from finproxy.legs import Leg

from .peers import PATIENCE, Peer, Upstream, connect, listening, patience

both_ways = pytest.mark.parametrize("near", ["client", "server"])
"""Run the test once with the client as the near endpoint, and once with the server."""


class Story:
    """All records of a proxy in order, and a way to wait for one."""

    def __init__(self) -> None:
        self.records: list[finproxy.Record] = []
        self._more = trio.Event()

    def __call__(self, record: finproxy.Record) -> None:
        """Observe."""
        self.records.append(record)
        self._more.set()
        self._more = trio.Event()

    def find(
        self, event: str, leg: str | Leg | None = None, session: int | None = None
    ) -> list[finproxy.Record]:
        """The records of this event so far, on this leg, of this session."""
        return [
            record
            for record in self.records
            if record.event == event
            and (leg is None or record.leg is Leg(leg))
            and (session is None or record.session == session)
        ]

    def lines(self, prefix: str = "") -> list[str]:
        """The story in short, ``fin.sent server``: those events that begin with `prefix`."""
        return [f"{r.event} {r.leg or ''}".strip() for r in self.records if r.event.startswith(prefix)]

    async def until(
        self, event: str, leg: str | Leg | None = None, session: int | None = None, count: int = 1
    ) -> finproxy.Record:
        """Wait until there are `count` such records; the last of them."""
        with trio.move_on_after(PATIENCE):
            while len(found := self.find(event, leg, session)) < count:
                await self._more.wait()
            return found[count - 1]
        raise AssertionError(f"waited in vain for {event} {leg or ''}; the story so far: {self.lines()}")

    async def first(self, *events: str, session: int) -> str:
        """Wait until one of these events is recorded of a session: which one that is."""
        with patience(f"one of {events}"):
            while True:
                for record in self.records:
                    if record.session == session and record.event in events:
                        return record.event
                await self._more.wait()


@dataclass
class Stage:
    """One session with both its endpoints in hand."""

    proxy: finproxy.Proxy
    story: Story
    client: Peer
    server: Peer
    near_leg: Leg = Leg.CLIENT

    @property
    def rule(self) -> str:
        """The only rule, in its canonical spelling."""
        (rule,) = self.proxy.settings.rules
        return str(rule)

    @property
    def far_leg(self) -> Leg:
        """The leg opposite to the near one."""
        return self.near_leg.other

    @property
    def near(self) -> Peer:
        """The endpoint whose act triggers the rule."""
        return self.client if self.near_leg is Leg.CLIENT else self.server

    @property
    def far(self) -> Peer:
        """The endpoint that sees what the rule makes of it."""
        return self.server if self.near_leg is Leg.CLIENT else self.client

    async def closed(self) -> finproxy.Record:
        """The record of the session's end."""
        return await self.story.until("session.closed")

    async def ending(self) -> dict[str, Any]:
        """The fields of that record."""
        return dict((await self.closed()).fields)

    async def losses(self) -> list[tuple[str, int, str]]:
        """What was lost: the leg it came from, how many bytes, and why."""
        return [(loss["leg"], loss["bytes"], loss["why"]) for loss in (await self.ending())["losses"]]

    async def finish_politely(self) -> None:
        """What is left of a session without losses: the far endpoint answers and closes, the near reads."""
        await self.far.send(b"answer")
        self.far.fin()
        assert await self.near.read_until_eof() == b"answer"


@asynccontextmanager
async def stage(
    *rules: str,
    near: str = "client",
    host: str = "127.0.0.1",
    client_receive_buffer: int | None = None,
    **settings: Any,
) -> AsyncIterator[Stage]:
    """A proxy with these rules, and one session through it."""
    leg = Leg(near)
    spelled = [rule.format(near=leg, far=leg.other) for rule in rules]
    async with listening(host) as upstream, proxy_before(upstream, *spelled, host=host, **settings) as told:
        proxy, story = told
        client = await connect(proxy.address, receive_buffer=client_receive_buffer)
        server = await upstream.accept()
        await story.until("session.opened")
        yield Stage(proxy, story, client, server, leg)


@asynccontextmanager
async def proxy_before(
    upstream: Upstream,
    *rules: str,
    host: str = "127.0.0.1",
    observers: tuple[Callable[[finproxy.Record], None], ...] = (),
    **settings: Any,
) -> AsyncIterator[tuple[finproxy.Proxy, Story]]:
    """A proxy in front of `upstream`, and its story. What is open at the end of the block is aborted."""
    story = Story()
    settings = {"grace": 0.0, **settings}
    async with finproxy.open_proxy(
        upstream.address, rules, listen=(host, 0), observers=[story, *observers], **settings
    ) as proxy:
        yield proxy, story
