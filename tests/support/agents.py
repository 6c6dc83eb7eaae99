"""Agents for tests: in this process, on loopback, so that they can be stopped and started anew at will."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import trio

from harness.agent.agent import serve_agent
from harness.background import Background


class RunningAgent:
    """An agent on a thread of its own. `stop` and `start` are what a container's restart is."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.port = 0
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
        async with serve_agent(("127.0.0.1", self.port), **self.settings) as address:
            serving.set_result(address[1])
            await trio.sleep_forever()


@contextmanager
def running_agent(**settings: Any) -> Iterator[RunningAgent]:
    """Give an agent that has started; it may be stopped by the test."""
    agent = RunningAgent(**settings)
    try:
        yield agent
    finally:
        agent.stop()
