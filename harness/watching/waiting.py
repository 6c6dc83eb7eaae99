"""Waiting for an answer that the watcher's rounds will bring, for threads and for Trio tasks.

Both forms ask after each round; nobody sleeps a fixed time. This module must not know what is asked.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from harness.watching.watcher import Watcher

Result = TypeVar("Result")


def wait(watcher: Watcher, answer: Callable[[], Result | None], within: float) -> Result | None:
    """Return the first answer that is not None, or None after `within` seconds or when the watch is over.

    Raises the watcher's failure if its source ceased to work while there was no answer yet.
    """
    deadline = time.monotonic() + within
    with watcher.urgently():
        while True:
            done = watcher.rounds.done
            found = answer()
            left = deadline - time.monotonic()
            if found is not None or left <= 0 or watcher.is_over:
                return found
            if watcher.failure is not None:
                raise watcher.failure
            watcher.wait_for_round(done, left)


async def wait_async(watcher: Watcher, answer: Callable[[], Result | None], within: float) -> Result | None:
    """Do what `wait` does without blocking the Trio task's thread."""
    import trio

    token = trio.lowlevel.current_trio_token()
    deadline = time.monotonic() + within
    with watcher.urgently():
        while True:
            news = trio.Event()
            with watcher.calling(lambda event=news: token.run_sync_soon(event.set)):  # type: ignore[misc]
                found = answer()
                left = deadline - time.monotonic()
                if found is not None or left <= 0 or watcher.is_over:
                    return found
                if watcher.failure is not None:
                    raise watcher.failure
                with trio.move_on_after(left):
                    await news.wait()
