"""An API with its proxies in the test's own Trio run, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

import finproxy
from finproxy import Address, Record
from finproxy.addresses import format_address
from finproxy.control.proxies import Proxies
from finproxy.control.running import open_api
from finproxy.control.settings import ApiSettings, Household, Wanted
from finproxy.observers import Recorder

from ...support.peers import PATIENCE, Peer, Upstream, connect, listening, patience
from ...support.stage import Story


@dataclass
class Served:
    """An API, a client of it, and what the proxies behind it tell."""

    client: httpx.AsyncClient
    proxies: Proxies
    address: Address
    story: Story

    async def create(self, name: str, upstream: Address, **more: Any) -> dict[str, Any]:
        """Create a proxy over /v1; it must succeed."""
        body = {"name": name, "upstream": format_address(upstream), "grace": 0, **more}
        answer = await self.client.post("/v1/proxies", json=body)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    async def connect(self, name: str) -> Peer:
        """A client of a proxy."""
        proxy = self.proxies.find(name).proxy
        assert proxy
        return await connect(proxy.address)

    async def pair(self, name: str, upstream: Upstream) -> tuple[Peer, Peer]:
        """Both ends of a new session."""
        client = await self.connect(name)
        return client, await upstream.accept()


def new_settings(name: str) -> finproxy.Settings:
    return finproxy.Settings(name=name, upstream=("", 0), grace=0.0, seed=7)


@asynccontextmanager
async def serving(proxies: Sequence[Wanted] = (), **api: Any) -> AsyncIterator[Served]:
    """An API on a free port, without proxies unless some are wanted."""
    story = Story()
    household = Household(
        api=ApiSettings(listen=("127.0.0.1", 0), **api),
        proxies=proxies,
        created=new_settings,
        examine=lambda: {"examined": True},
    )
    async with (
        open_api(household, Recorder([story])) as (registry, address),
        httpx.AsyncClient(base_url=f"http://{format_address(address)}", timeout=PATIENCE) as client,
    ):
        yield Served(client, registry, address, story)


__all__ = ["Peer", "Record", "Served", "listening", "patience", "serving"]
