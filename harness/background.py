"""One Trio run on a thread of its own: whoever is not async, or runs another loop, drives Trio through it.

One run serves a whole test session, so that a test does not pay for it. This module must not know proxies.
"""

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

import trio

from harness.errors import HarnessError

Given = ParamSpec("Given")
Result = TypeVar("Result")


class BackgroundError(HarnessError):
    """The Trio run has ended, and nothing can be done by it any more."""


class Background:
    """A Trio run, from construction until `stop`. Its methods may be called from any thread but its own."""

    def __init__(self) -> None:
        self._failure: BaseException | None = None
        self._running: Future[tuple[trio.lowlevel.TrioToken, trio.Nursery]] = Future()
        self._lock = threading.Lock()
        self._pending: set[Future[Any]] = set()
        self._thread = threading.Thread(target=self._run, name="finproxy background", daemon=True)
        self._thread.start()
        self._token, self._nursery = self._running.result()

    @property
    def is_alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def call(
        self, function: Callable[Given, Awaitable[Result]], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Run an async function over there and wait for its result, or raise what it raised.

        Raises:
            BackgroundError: the run has ended.

        """
        # Not trio.from_thread.run: it refuses callers that run a Trio of their own, as Trio tests do.
        future: Future[Result] = Future()
        self.start(self._answer, partial(function, *args, **kwargs), future)
        return self._result(future)

    def start(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Start a task that runs on until it ends by itself, or until `stop` cancels it."""
        try:
            self._token.run_sync_soon(lambda: self._nursery.start_soon(function, *args))
        except trio.RunFinishedError as error:
            raise self._ended() from error

    def soon(self, function: Callable[[], object]) -> None:
        """Call a function over there, without waiting; nothing happens if the run has ended."""
        try:
            self._token.run_sync_soon(function)
        except trio.RunFinishedError as error:
            raise self._ended() from error

    def stop(self) -> None:
        """Cancel whatever runs and end the thread. May be called twice."""
        if self._thread.is_alive():
            self.soon(self._nursery.cancel_scope.cancel)
        self._thread.join()

    def wait_for(self, future: Future[Result]) -> Result:
        """The result of a task that was started; raises if the run ends before it is there."""
        return self._result(future)

    def _result(self, future: Future[Result]) -> Result:
        with self._lock:
            self._pending.add(future)
            if not self._thread.is_alive() and not future.done():
                raise self._ended()
        try:
            return future.result()
        finally:
            with self._lock:
                self._pending.discard(future)

    async def _answer(self, function: Callable[[], Awaitable[Result]], future: "Future[Result]") -> None:
        try:
            future.set_result(await function())
        except trio.Cancelled:
            future.set_exception(self._ended())
            raise
        except Exception as error:
            future.set_exception(error)

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:
            self._failure = error
        with self._lock:
            for future in self._pending:
                if not future.done():
                    future.set_exception(self._ended())

    async def _main(self) -> None:
        async with trio.open_nursery() as nursery:
            self._running.set_result((trio.lowlevel.current_trio_token(), nursery))
            await trio.sleep_forever()

    def _ended(self) -> BackgroundError:
        error = BackgroundError(f"the proxies' thread has ended: {self._failure or 'it was stopped'!r}")
        error.__cause__ = self._failure
        return error
