"""One proxy of the registry: what it is meant to be, and the running proxy where it is enabled.

It runs in a task of its own, so that it can be opened, closed and opened anew while the others go on. This
module must not know names of other proxies, nor HTTP.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import trio

from ..addresses import format_address
from ..legs import Address, Leg
from ..observers import Recorder
from ..opening import serve
from ..rules import FullClose, Rule
from ..server import Proxy
from ..session import Session
from ..settings import Settings
from ..toxics import Toxic
from .places import upstream_place

_log = logging.getLogger("finproxy")


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become different of a proxy; None leaves a thing as it is."""

    listen: Address | None = None
    upstream: str | None = None
    enabled: bool | None = None
    rules: tuple[Rule, ...] | None = None
    toxics: tuple[Toxic, ...] | None = None


@dataclass(slots=True, eq=False)
class Managed:
    """A proxy by its name. Its owner sees to it that one thing is done to it at a time."""

    settings: Settings
    """What it is opened with, the next time."""
    listen: str
    """Where it listens; as it was given, as long as it never has."""
    upstream: str
    """Where it leads to, as it was given."""
    proxy: Proxy | None = None
    """The running proxy; None while it is disabled."""
    opened: int = 0
    """Sessions opened so far."""
    refused: int = 0
    """Connections refused so far."""
    _close: trio.Event = field(default_factory=trio.Event)
    _closed: trio.Event = field(default_factory=trio.Event)

    @property
    def name(self) -> str:
        """Its name, which never changes."""
        return self.settings.name or ""

    @property
    def enabled(self) -> bool:
        """Whether it listens."""
        return self.proxy is not None

    @property
    def sessions(self) -> dict[int, Session]:
        """Its live sessions by number."""
        return self.proxy.sessions if self.proxy else {}

    async def open(self, nursery: trio.Nursery, recorder: Recorder) -> None:
        """Let it listen and serve, in a task of `nursery`.

        Raises:
            ListenError: the port cannot be had.
            WireError: no technique can serve one of its rules here.
        """
        self._close, self._closed = trio.Event(), trio.Event()
        await nursery.start(self._run, recorder)

    async def close(self) -> None:
        """Let it listen no more, and end its sessions at once: a FIN to both ends, and then it is gone."""
        if self.proxy:
            self._close.set()
            await self._closed.wait()

    async def set_rules(self, rules: Iterable[Rule]) -> None:
        """Let other rules hold, from now on and whenever it is opened.

        Raises:
            WireError: one is at wire, and new to a proxy that runs.
        """
        rules = tuple(rules)
        if self.proxy:
            await self.proxy.set_rules(rules)
        self.settings = replace(self.settings, rules=rules)

    async def set_toxics(self, toxics: Iterable[Toxic]) -> None:
        """Let other toxics hold, from now on and whenever it is opened."""
        toxics = tuple(toxics)
        if self.proxy:
            await self.proxy.set_toxics(toxics)
        self.settings = replace(self.settings, toxics=toxics)

    def moves(self, change: Change) -> bool:
        """Whether it has to be opened anew for this change."""
        elsewhere = change.listen is not None and (
            change.listen[1] == 0 or format_address(change.listen) != self.listen
        )
        return elsewhere or (change.upstream is not None and change.upstream != self.upstream)

    def move(self, change: Change) -> None:
        """Take another place and another upstream; it must be closed."""
        if change.listen is not None:
            self.settings = replace(self.settings, listen=change.listen)
            self.listen = format_address(change.listen)
        if change.upstream is not None:
            self.settings = replace(self.settings, upstream=upstream_place(change.upstream))
            self.upstream = change.upstream

    async def _run(self, recorder: Recorder, task_status: trio.TaskStatus[None]) -> None:
        started = False
        try:
            async with serve(self.settings, recorder) as proxy:
                self.proxy, started = proxy, True
                self.listen = proxy.url
                task_status.started()
                await self._close.wait()
                await self._end(proxy)
        except Exception:
            if not started:
                raise
            _log.exception("the proxy %s failed, and is disabled", self.name)
        finally:
            self.proxy = None
            self._closed.set()

    async def _end(self, proxy: Proxy) -> None:
        # What is gone is seen as EOF, as from any program that closes; a bare reset would be another fault.
        for session in list(proxy.sessions.values()):
            session.act(Leg.CLIENT, FullClose())
        await proxy.stop(0)
        # The same port, and further numbers: a session of its next life is never taken for one of this.
        self.settings = replace(self.settings, listen=proxy.address, first_session=proxy.next_session)
