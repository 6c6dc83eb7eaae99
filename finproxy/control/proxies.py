"""The registry: all proxies of this process by name, created, changed and deleted while they run.

What is done to proxies of different names goes on side by side, however long one takes to be bound or to be
closed; what is done to one name goes in turn. This module must not know HTTP, nor how values are written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice

import trio

from ..addresses import LOOPBACK
from ..errors import FinproxyError
from ..nurseries import background
from ..observers import Recorder
from ..records import Record
from ..rules import Rule
from ..server import Proxy
from ..settings import Settings
from ..toxics import Toxic
from .managed import Change, Managed
from .places import listening_place, upstream_place


class UnknownProxyError(FinproxyError):
    """There is no proxy of that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, ", ".join(islice(known, 20))
        super().__init__(f"there is no proxy '{name}'; there are: {self.known or 'none'}")


class NameTakenError(FinproxyError):
    """There is a proxy of that name already."""


class StoppingError(FinproxyError):
    """finproxy is about to end: nothing is opened any more."""


class Proxies:
    """The proxies by name. `open_proxies` makes one."""

    def __init__(self, recorder: Recorder, nursery: trio.Nursery, host: str) -> None:
        self._recorder = recorder
        self._nursery = nursery
        self._host = host
        self._by_name: dict[str, Managed] = {}
        self._locks: dict[str, trio.Lock] = {}
        self.stopping = False
        self.when_deleted: list[Callable[[str], None]] = []
        """Told the name of each proxy that was deleted, once its last record is out."""
        recorder.add(self._count)

    # --- looking ------------------------------------------------------------------------------------

    def all(self) -> list[Managed]:
        """All of them, by name."""
        return [self._by_name[name] for name in sorted(self._by_name)]

    def running(self) -> list[Proxy]:
        """Those that listen."""
        return [managed.proxy for managed in self.all() if managed.proxy]

    def find(self, name: str) -> Managed:
        """The proxy of this name.

        Raises:
            UnknownProxyError: there is none.
        """
        if name not in self._by_name:
            raise UnknownProxyError(name, sorted(self._by_name))
        return self._by_name[name]

    # --- changing -----------------------------------------------------------------------------------

    async def create(
        self, settings: Settings, listen: str, upstream: str, *, enabled: bool = True
    ) -> Managed:
        """Add a proxy, and let it listen if it is to be enabled. `settings` has all but the two places.

        Raises:
            NameTakenError: there is one of this name.
            AddressError: `listen` is not an address.
            ListenError: the port cannot be had; nothing was added.
        """
        async with self._turn(settings.name or ""):
            if settings.name in self._by_name:
                raise NameTakenError(f"there is a proxy '{settings.name}' already; delete it first")
            return await self._add(settings, listen, upstream, enabled=enabled)

    async def put(self, settings: Settings, listen: str, upstream: str, *, enabled: bool = True) -> Managed:
        """Leave the proxy of this name alone if it is in the same two places, else put a new one there.

        Raises: as `create`, but for the name.
        """
        async with self._turn(settings.name or ""):
            if there := self._by_name.get(settings.name or ""):
                change = Change(listen=await listening_place(listen, self._host), upstream=upstream)
                if not there.moves(change):
                    return there
                await self._remove(there)
            return await self._add(settings, listen, upstream, enabled=enabled)

    async def change(self, name: str, listen: str | None, change: Change) -> Managed:
        """Change a proxy; sessions go on unless it has to listen or lead elsewhere.

        Raises:
            UnknownProxyError: there is none of this name.
            AddressError: `listen` is not an address.
            ListenError: the new port cannot be had; it is disabled, with the new port as its own.
            WireError: a rule at wire is new to a proxy that goes on.
        """
        async with self._turn(name):
            managed = self.find(name)
            if listen is not None:
                change = replace(change, listen=await listening_place(listen, self._host))
            enabled = managed.enabled if change.enabled is None else change.enabled
            if managed.moves(change):
                await managed.close()
                managed.move(change)
            elif not enabled:
                await managed.close()
            if change.rules is not None:
                await managed.set_rules(change.rules)
            if change.toxics is not None:
                await managed.set_toxics(change.toxics)
            if enabled and not managed.enabled:
                await self._open(managed)
            return managed

    async def edit_rules(
        self, name: str, edit: Callable[[tuple[Rule, ...]], tuple[Rule, ...]]
    ) -> tuple[Rule, ...]:
        """Let `edit` make other rules of those there are, with nobody in between.

        Raises:
            UnknownProxyError: there is no such proxy.
            WireError: a rule at wire is new to a proxy that runs.
        """
        async with self._turn(name):
            managed = self.find(name)
            await managed.set_rules(edit(managed.settings.rules))
            return managed.settings.rules

    async def edit_toxics(
        self, name: str, edit: Callable[[tuple[Toxic, ...]], tuple[Toxic, ...]]
    ) -> tuple[Toxic, ...]:
        """Let `edit` make other toxics of those there are, with nobody in between.

        Raises:
            UnknownProxyError: there is no such proxy.
        """
        async with self._turn(name):
            managed = self.find(name)
            await managed.set_toxics(edit(managed.settings.toxics))
            return managed.settings.toxics

    async def delete(self, name: str) -> None:
        """Close a proxy and forget it.

        Raises:
            UnknownProxyError: there is none of this name.
        """
        async with self._turn(name):
            await self._remove(self.find(name))

    async def reset(self) -> None:
        """Enable every proxy and remove every toxic; rules stay.

        Raises:
            ListenError: a port cannot be had; those behind it, by name, are left as they are.
        """
        for managed in self.all():
            if managed.name in self._by_name:  # it may have been deleted meanwhile
                await self.change(managed.name, None, Change(enabled=True, toxics=()))

    async def close_all(self) -> None:
        """Close all of them; nothing is opened any more."""
        self.stopping = True
        async with trio.open_nursery() as nursery:
            for managed in self.all():
                nursery.start_soon(managed.close)

    # --- small steps --------------------------------------------------------------------------------

    async def _add(self, settings: Settings, listen: str, upstream: str, *, enabled: bool) -> Managed:
        place = await listening_place(listen, self._host)
        settings = replace(settings, listen=place, upstream=upstream_place(upstream))
        managed = Managed(settings, listen, upstream)
        # Known before it is open: its first records belong to it.
        self._by_name[managed.name] = managed
        try:
            if enabled:
                await self._open(managed)
        except BaseException:
            del self._by_name[managed.name]
            raise
        return managed

    async def _remove(self, managed: Managed) -> None:
        await managed.close()
        del self._by_name[managed.name]
        for told in self.when_deleted:
            told(managed.name)

    async def _open(self, managed: Managed) -> None:
        if self.stopping:
            raise StoppingError("finproxy is stopping: nothing is opened any more")
        await managed.open(self._nursery, self._recorder)

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[None]:
        """One at a time for each name, in the order of asking."""
        lock = self._locks.setdefault(name, trio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._locks.pop(name, None)

    def _count(self, record: Record) -> None:
        if record.proxy is None or record.proxy not in self._by_name:
            return
        managed = self._by_name[record.proxy]
        managed.opened += record.event == "session.opened"
        managed.refused += record.event == "session.refused"


@asynccontextmanager
async def open_proxies(recorder: Recorder, host: str = LOOPBACK) -> AsyncIterator[Proxies]:
    """A registry without proxies, for as long as the block lasts; those that are left are closed.

    A proxy for which no host is given listens on `host`.
    """
    async with background() as nursery:
        proxies = Proxies(recorder, nursery, host)
        try:
            yield proxies
        finally:
            with trio.CancelScope(shield=True):
                await proxies.close_all()
            nursery.cancel_scope.cancel()
