"""The newest records, numbered: for whoever reads pages of them, follows them, or asks for one session's.

An observer of records like any other, and bounded. This module must not know proxies, nor HTTP.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Final

import msgspec

from ..records import Record
from ..web.feed import Feed, Numbered

CAPACITY: Final = 10_000
"""Records that are kept: about as many megabytes as there are thousands."""


class RecordRing:
    """Keeps the newest records, and knows which of them belong to which session."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.feed: Feed[Record] = Feed(
            encode=encode,
            name=lambda record: record.event,
            capacity=capacity,
        )
        self._sessions: dict[tuple[str | None, int | None], deque[Numbered[Record]]] = {}

    def __call__(self, record: Record) -> None:
        """Keep a record."""
        if self.feed.full:
            self._forget(self.feed.after(0, 1)[0])
        numbered = self.feed.put(record)
        if record.session is not None:
            self._sessions.setdefault((record.proxy, record.session), deque()).append(numbered)

    def of_session(self, proxy: str, session: int) -> list[Numbered[Record]]:
        """What is still known of one session, in order; nothing of one that is unknown."""
        return list(self._sessions.get((proxy, session), ()))

    def forget_proxy(self, proxy: str) -> None:
        """A proxy is no more: a later one of its name has other sessions under the same numbers."""
        for key in [key for key in self._sessions if key[0] == proxy]:
            del self._sessions[key]

    def _forget(self, oldest: Numbered[Record]) -> None:
        key = oldest.item.proxy, oldest.item.session
        kept = self._sessions.get(key)
        if kept and kept[0] is oldest:
            kept.popleft()
            if not kept:
                del self._sessions[key]


def as_dict(number: int, record: Record) -> dict[str, Any]:
    """A record as the API has it: the journal's line, with its number."""
    return {"id": number, **record.as_dict()}


def encode(number: int, record: Record) -> bytes:
    """The same as JSON. It is made once for all readers, in the proxy's own time: hence not with `json`."""
    shown = as_dict(number, record)
    try:
        return msgspec.json.encode(shown)
    except UnicodeEncodeError:  # half a surrogate pair, from a name that a command line was given
        return json.dumps(shown).encode()
