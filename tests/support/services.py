"""Agents and control APIs for tests: in this process, on loopback, stopped and started anew at will."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import trio

import finproxy
from finproxy import Address
from finproxy.control.running import open_api
from finproxy.control.settings import ApiSettings, Household
from finproxy.observers import Recorder
from harness.agent.agent import serve_agent
from harness.background import Background

Serve = Callable[..., AbstractAsyncContextManager[Address]]


class Service:
    """A service on a thread of its own. `stop` and `start` are what a container's restart is."""

    def __init__(self, serve: Serve, **settings: Any) -> None:
        self.settings = settings
        self.port = 0
        self._open = serve
        self._background: Background | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve, on the same port as before."""
        self._background = Background()
        serving: Future[int] = Future()
        self._background.start(self._serve, serving)
        self.port = self._background.wait_for(serving)

    def stop(self) -> None:
        """End it as SIGTERM would."""
        if self._background:
            self._background.stop()
        self._background = None

    async def _serve(self, serving: Future[int]) -> None:
        async with self._open(("127.0.0.1", self.port), **self.settings) as address:
            serving.set_result(address[1])
            await trio.sleep_forever()


@asynccontextmanager
async def _serve_api(listen: Address) -> AsyncIterator[Address]:
    household = Household(api=ApiSettings(listen=listen), created=_settings)
    async with open_api(household, Recorder([])) as (_, address):
        yield address


def _settings(name: str) -> finproxy.Settings:
    return finproxy.Settings(name=name, upstream=("", 0), grace=0.0)


@contextmanager
def running_agent(**settings: Any) -> Iterator[Service]:
    """Give an agent that has started; it may be stopped by the test."""
    yield from _running(serve_agent, settings)


@contextmanager
def running_api() -> Iterator[Service]:
    """Give a finproxy with its control API and no proxies."""
    yield from _running(_serve_api, {})


def _running(serve: Serve, settings: dict[str, Any]) -> Iterator[Service]:
    service = Service(serve, **settings)
    try:
        yield service
    finally:
        service.stop()
