"""A feed as server-sent events (HTML standard, section 9.2): resumable, kept alive, never waited for.

The id of an event is RUN-NUMBER: a client that comes back to another process with the id of an earlier one
is told that it has missed something, instead of waiting for a number that means something else. This module
must not know what an item is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import trio
from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope, Send

from .feed import Feed, FeedReader, Numbered
from .problems import Refusal
from .serving import hang_up

T = TypeVar("T")

_KEEP_ALIVE: Final = 15.0
_STALLED_AFTER: Final = 10.0
"""Seconds in which a reader has to take something."""
_BATCH: Final = 2000
_BEAT: Final = 0.05
"""Seconds between two batches while items stream in: what comes after a silence is sent at once.

All readers have the same beat. Then they are at the same place, their batch is put together once, and the
loop is woken once for all of them.
"""


async def stream_events(
    feed: Feed[T],
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    wanted: Callable[[T], bool] | None = None,
    dropped: Callable[[str], None] | None = None,
) -> None:
    """Answer a request with the items of a feed as they come, until either end has had enough.

    ``Last-Event-ID``, or ``?after=``, says where to go on; without either it begins with what comes next.

    Args:
        feed: what is read.
        scope: the request, as ASGI has it; `receive` and `send` likewise.
        receive: tells when the client has gone.
        send: takes the answer.
        wanted: passes over what this reader did not ask for.
        dropped: is told when the reader is cut off because it does not read, and how far it is behind.

    Raises:
        Refusal: the place to go on from is not one.
    """
    position, missed = _place(feed, scope)
    stream = _EventStream(feed, scope, send, position, wanted=wanted, dropped=dropped)
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")],
        }
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
        nursery.start_soon(stream.watch_over)
        await stream.run(missed)
        nursery.cancel_scope.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive, streaming: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    streaming.cancel()


def read_place(text: str, run: str) -> tuple[int, str]:
    """The number and the run in RUN-NUMBER; a bare number is one of `run`.

    Raises:
        Refusal: it is neither.
    """
    given_run, _, digits = text.rpartition("-")
    # A number of more digits than any feed will have is no number: int() of it would take its time.
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 18:
        raise Refusal(
            400,
            "the place to go on from is not one",
            expected="the id of an event, such as 'a1b2c3d4-17', or a number from 0",
            found=text,
            what_to_do="leave it out to begin with what comes next",
        )
    return int(digits), given_run or run


def _place(feed: Feed[Any], scope: Scope) -> tuple[int, dict[str, Any] | None]:
    """Where to begin, and what to say about what is missing before."""
    text = Headers(scope=scope).get("last-event-id") or QueryParams(scope["query_string"]).get("after")
    if not text:
        return feed.newest, None
    number, run = read_place(text, feed.run)
    if run != feed.run:
        return feed.oldest - 1, {"missed": None, "run": feed.run, "why": "finproxy was started anew"}
    if number > feed.newest:
        return feed.newest, {"missed": None, "run": feed.run, "why": "there is no such number yet"}
    if number < feed.oldest - 1:
        missed = feed.oldest - 1 - number
        # From 0 on means: whatever there is. Who has read up to a number has missed what is gone since.
        said = {"missed": missed, "run": feed.run, "why": "they are not kept any more"}
        return feed.oldest - 1, said if number else None
    return number, None


class _EventStream(Generic[T]):
    """One reader of a feed, and the connection to it."""

    def __init__(
        self,
        feed: Feed[T],
        scope: Scope,
        send: Send,
        position: int,
        *,
        wanted: Callable[[T], bool] | None,
        dropped: Callable[[str], None] | None,
    ) -> None:
        self._feed = feed
        self._scope = scope
        self._send_message = send
        self._wanted = wanted
        self._dropped = dropped
        self._reader = FeedReader(position, self._cut_off)
        self._sending_since: float | None = None

    async def run(self, missed: dict[str, Any] | None) -> None:
        """Send what there is, then what comes, until the feed is closed."""
        self._feed.add_reader(self._reader)
        try:
            await self._send(b"retry: 1000\n\n" + self._missed(missed))
            while not self._feed.closed:
                with trio.move_on_after(_KEEP_ALIVE) as waiting:
                    await self._feed.wait_for_more(self._reader.position)
                await self._send(b": keep-alive\n\n" if waiting.cancelled_caught else self._batch())
                if self._feed.newest - self._reader.position < _BATCH:  # else it has to catch up
                    await self._until_next_beat()
            while self._reader.position < self._feed.newest:  # what was there when it was closed
                await self._send(self._batch())
        finally:
            self._feed.remove_reader(self._reader)

    async def watch_over(self) -> None:
        """Cut a reader off that takes nothing."""
        while True:
            await trio.sleep(_STALLED_AFTER / 10)
            if self._sending_since and time.monotonic() - self._sending_since > _STALLED_AFTER:
                self._cut_off(f"nothing taken for {_STALLED_AFTER:g} s")

    def _cut_off(self, why: str) -> None:
        if self._dropped:
            self._dropped(why)
        self._dropped = None  # once
        hang_up(self._scope)

    @staticmethod
    async def _until_next_beat() -> None:
        await trio.sleep_until((trio.current_time() // _BEAT + 1) * _BEAT)

    def _batch(self) -> bytes:
        self._reader.position, data = self._feed.batch(self._reader.position, _BATCH, _event, self._wanted)
        return data

    def _missed(self, missed: dict[str, Any] | None) -> bytes:
        if missed is None:
            return b""
        return _text(self._feed, self._reader.position, "records.missed", json.dumps(missed).encode())

    async def _send(self, data: bytes) -> None:
        if not data:
            return
        self._sending_since = time.monotonic()
        await self._send_message({"type": "http.response.body", "body": data, "more_body": True})
        self._sending_since = None


def _event(feed: Feed[T], numbered: Numbered[T]) -> bytes:
    return _text(feed, numbered.number, feed.name(numbered.item), feed.encoded(numbered))


def _text(feed: Feed[Any], number: int, name: str, data: bytes) -> bytes:
    return b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (feed.run.encode(), number, name.encode(), data)
