"""Operations on records, and on finproxy itself.

This module must not know how a request is checked or answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import trio
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from ... import __version__
from ...records import Record
from ...web.events import read_place, stream_events
from ...web.problems import Refusal
from ..ring import RecordRing
from . import asked, shapes, views
from .operations import operation


class AboutRecords:
    """The operations, on one ring of records.

    Args:
        ring: the records.
        dropped: is told why a reader was cut off.
        examine: finds out what works on this machine; called in a thread.
    """

    def __init__(
        self, ring: RecordRing, dropped: Callable[[str], None], examine: Callable[[], Any] | None
    ) -> None:
        self._ring = ring
        self._dropped = dropped
        self._examine = examine
        self._examining = trio.Lock()

    @operation("GET", "/v1/health")
    async def health(self) -> shapes.Health:
        """That finproxy is there; needs no token."""
        return shapes.Health("ok", __version__, self._ring.feed.run)

    @operation("GET", "/v1/doctor", refusals={503: "Nobody can examine the machine here."})
    async def doctor(self) -> dict[str, Any]:
        """What works on this machine: sources of states, wire techniques, knobs."""
        if self._examine is None:
            raise Refusal(503, "nobody can examine this machine here", what_to_do="run finproxy doctor there")
        async with self._examining:  # it opens connections, and may write firewall rules
            found: dict[str, Any] = await trio.to_thread.run_sync(self._examine)
        return found

    @operation("GET", "/v1/records", query=asked.PageFilter)
    async def list_records(self, query: asked.PageFilter) -> shapes.RecordPage:
        """The newest records, page by page; `limit` counts also those that the filter passes over."""
        feed = self._ring.feed
        number, run = read_place(query.after, feed.run) if query.after else (0, feed.run)
        after = number if run == feed.run else 0  # to a reader of an earlier process all of this one is new
        found = feed.after(after, query.limit)
        wanted = _wanted(query)
        return shapes.RecordPage(
            run=feed.run,
            records=views.records(feed, [one for one in found if wanted(one.item)]),
            next=found[-1].number if found else max(after, feed.oldest - 1),
            oldest=feed.oldest,
            missed=max(0, feed.oldest - 1 - after) if after else 0,
        )

    @operation("GET", "/v1/records/stream", query=asked.Filter, media="text/event-stream")
    async def stream_records(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Records as they come: server-sent events, resumable by Last-Event-ID."""
        given = dict(QueryParams(scope["query_string"]).items())
        wanted = _wanted(msgspec.convert(given, asked.Filter, strict=False))
        await stream_events(self._ring.feed, scope, receive, send, wanted=wanted, dropped=self._dropped)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a reader asked for. Who asked for the same is equal, so that it is looked for once for all."""

    proxy: str | None
    session: int | None
    event: str | None

    def __call__(self, record: Record) -> bool:
        if self.proxy is not None and record.proxy != self.proxy:
            return False
        if self.session is not None and record.session != self.session:
            return False
        if self.event is None:
            return True
        return record.event.startswith(self.event) if self.event.endswith(".") else record.event == self.event


def _wanted(query: asked.Filter) -> _Wanted:
    return _Wanted(query.proxy, query.session, query.event)
