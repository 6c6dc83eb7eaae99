"""Records: everything that happens, as one ordered stream of values.

The field names are the contract of the journal. Pure values: this module must not know files, sockets or
the clock; the time of a record is given to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from .legs import Ending, Leg

EVENTS: Final = (
    "proxy.listening",
    "session.opened",
    "session.refused",
    "fin.received",
    "fin.overtook",
    "fin.slipped",
    "fin.held",
    "fin.released",
    "fin.dropped",
    "fin.sent",
    "reset.received",
    "reset.held",
    "reset.released",
    "reset.dropped",
    "reset.sent",
    "leg.failed",
    "rule.fired",
    "rules.changed",
    "toxics.changed",
    "session.closed",
    "session.crashed",
    "proxy.stopping",
    "reader.dropped",
    "records.missed",
)
"""All events; the last two only where records are read over the API."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened; `event` is one of `EVENTS`."""

    event: str
    t: float
    """Seconds since the session opened, monotonic; 0 for what concerns no session."""
    at: float
    """Seconds since the epoch."""
    proxy: str | None = None
    """The proxy's name, where a configuration gave it one."""
    session: int | None = None
    leg: Leg | None = None
    """The leg it came from for ``*.received``, the leg it went out on for ``*.sent``."""
    fields: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The record as the journal has it: flat, JSON values only, nothing that is not known."""
        when = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="microseconds")
        head = {
            "t": round(self.t, 6),
            "at": when.replace("+00:00", "Z"),
            "proxy": self.proxy,
            "session": self.session,
            "event": self.event,
            "leg": self.leg.value if self.leg else None,
        }
        return {key: value for key, value in head.items() if value is not None} | dict(self.fields)


Observer = Callable[[Record], None]
"""Told every record, in order, at once and synchronously: it must be quick, and not block."""


def ending_fields(ending: Ending) -> dict[str, Any]:
    """The fields of ``session.closed``: who ended what and how, bytes, what was lost and why."""
    flows = {leg.value: ending.flow(leg) for leg in Leg}
    return {
        "closed_first": ending.closed_first.value if ending.closed_first else None,
        "ended": {leg: flow.ended.value for leg, flow in flows.items()},
        "relayed": {leg: flow.relayed.value for leg, flow in flows.items()},
        "bytes": {leg: flow.bytes for leg, flow in flows.items()},
        "kept": {leg: round(flow.kept, 6) for leg, flow in flows.items()},
        "duration": round(ending.duration, 6),
        "lost": ending.lost,
        "losses": [{"leg": loss.leg.value, "bytes": loss.bytes, "why": loss.why} for loss in ending.losses],
        "aborted": ending.aborted,
    }
