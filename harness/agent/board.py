"""What the agent has told so far: all of it for those who come late, and a feed for those who listen.

Both have the same ids, so that whoever has read the board goes on with the feed and misses nothing. Belongs
to Trio's thread. This module must not know HTTP, nor how anything was seen.
"""

import json
from collections.abc import Sequence
from typing import Any

import finproxy
from harness.agent.spelling import spell_event
from harness.rows import Endpoint
from harness.transitions import FarEvent

_Told = dict[str, Any]


class Board:
    """Events by endpoint, each with its id in `feed`."""

    def __init__(self) -> None:
        self.feed: finproxy.Feed[_Told] = finproxy.Feed(encode=_encode, name=lambda told: str(told["kind"]))
        self._kept: dict[Endpoint, list[_Told]] = {}

    def take_in(self, events: Sequence[FarEvent], forgotten: Sequence[Endpoint] = ()) -> None:
        """Tell new events to all who listen, and keep them until their endpoints are forgotten."""
        for event in events:
            told = spell_event(event)
            self.feed.put(told)
            self._kept.setdefault(event.endpoint, []).append({"id": self.feed.newest, **told})
        for endpoint in forgotten:
            self._kept.pop(endpoint, None)

    def all_events(self) -> list[_Told]:
        """Everything that is kept, in the order in which it was told."""
        kept = [told for events in self._kept.values() for told in events]
        return sorted(kept, key=lambda told: int(told["id"]))


def _encode(number: int, told: _Told) -> bytes:
    return json.dumps({"id": number, **told}).encode()
