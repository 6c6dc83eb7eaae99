"""Drives a proxy in this process, in the Trio run of a background thread.

This module must not know who watches its endpoints.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import trio

import finproxy
from harness.background import Background
from harness.driving import Teller


class BackgroundDriver:
    """A driver (driving.py): see there. `settings` are those of `finproxy.open_proxy`."""

    def __init__(self, background: Background, rules: Sequence[str], settings: Mapping[str, Any]) -> None:
        self._background = background
        self._asked = (tuple(rules), dict(settings))
        self._stopping = trio.Event()
        self._over: Future[None] = Future()
        self._proxy: finproxy.Proxy

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that clients connect to."""
        host, port = self._proxy.address
        return host, port

    @property
    def url(self) -> str:
        """The address as text, ``127.0.0.1:9000``."""
        return self._proxy.url

    @property
    def seed(self) -> int:
        """What its chance is drawn from."""
        return self._proxy.settings.seed

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that hold now, in the notation."""
        return tuple(map(str, self._proxy.settings.rules))

    def open(self, upstream: str | tuple[str, int], tell: Teller) -> None:
        """Let the proxy listen; raises what keeps it from that."""
        opened: Future[finproxy.Proxy] = Future()
        self._background.start(self._serve, opened, upstream, tell)
        self._proxy = self._background.wait_for(opened)

    def begin(self) -> None:
        """Nothing: records are told as they are made, and nobody knew the address before."""

    def hold(self, session: int, leg: str) -> None:
        """Hold the end of an endpoint's flow when it comes."""
        self._background.call(self._proxy.hold, session, leg)

    def release(self, session: int, leg: str) -> None:
        """Let go what is held of an endpoint."""
        self._background.call(self._proxy.release, session, leg)

    def release_all(self) -> int:
        """Let go everything that is held; how many ends that were."""
        return self._background.call(self._proxy.release_all)

    def act(self, session: int, leg: str, action: str) -> None:
        """Do now what a rule with this action would do."""
        self._background.call(self._proxy.act, session, leg, action)

    def set_rules(self, rules: Sequence[str]) -> None:
        """Let other rules hold from now on, also in the sessions that are open."""
        self._background.call(self._proxy.set_rules, rules)

    def close(self) -> None:
        """Let go what is held, abort the sessions that are open; raises what the proxy failed of."""
        self._background.soon(self._stopping.set)
        self._background.wait_for(self._over)

    async def _serve(
        self, opened: "Future[finproxy.Proxy]", upstream: str | tuple[str, int], tell: Teller
    ) -> None:
        rules, settings = self._asked
        try:
            async with finproxy.open_proxy(upstream, rules, observers=[tell], **settings) as proxy:
                opened.set_result(proxy)
                await self._stopping.wait()
                await proxy.release_all()
        except Exception as error:
            tell.end(error)
            (self._over if opened.done() else opened).set_exception(error)
        else:
            tell.end(None)
            self._over.set_result(None)
