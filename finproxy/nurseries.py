"""A nursery for background tasks that lets its block's own error out as itself, not as a group.

Whoever opens a thing for the length of a block expects the errors of that thing, and of the block, by their
names. This module must not know what the tasks do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def background() -> AsyncIterator[trio.Nursery]:
    """Tasks beside a block; they are cancelled if it fails, and else waited for at its end."""
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        except BaseException as error:
            failure = error
            nursery.cancel_scope.cancel()
    if failure:
        raise failure
