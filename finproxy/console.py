"""What people at a terminal see: one line a session when it ends, and what is held while it is held.

An observer of records like any other. Everything goes to standard error, so that a journal on standard
output stays a journal. This module must not know sessions or sockets, only records.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import trio
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from .addresses import format_address
from .legs import Leg
from .records import Record
from .units import format_duration

_REFRESH = 0.25
_MOST_SHOWN = 10
_NAMES = {"fin": "FIN", "reset": "RST", "failed": "lost", "open": "still open", "nothing": "nothing"}
_STYLES = {"fin": "green", "reset": "red", "failed": "red", "open": "yellow"}


class SessionLines:
    """Prints a line for each session that ends or is refused, and, if asked, for each record."""

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        self._console = console
        self._verbose = verbose
        self._addresses: dict[tuple[str | None, int | None], Mapping[str, Any]] = {}
        self.held: dict[tuple[str | None, int | None, Leg | None], Record] = {}
        """The ends that are being kept, by session and leg."""

    def __call__(self, record: Record) -> None:
        """Take note of a record."""
        session = record.proxy, record.session
        if record.event.endswith(".held"):
            self.held[*session, record.leg] = record
        elif record.event.endswith((".released", ".dropped")):
            self.held.pop((*session, record.leg), None)
        elif record.event == "session.opened":
            self._addresses[session] = record.fields
        if self._verbose:
            self._console.print(_plain(record), style="dim", highlight=False, soft_wrap=True)
        if record.event == "session.closed":
            self._closed(record)
        elif record.event == "session.refused":
            self._refused(record)

    def _closed(self, record: Record) -> None:
        session = record.proxy, record.session
        for leg in Leg:
            self.held.pop((*session, leg), None)
        addresses = self._addresses.pop(session, {})
        line = _head(record, addresses.get("client"), addresses.get("server"))
        line.append_text(describe_ending(record.fields))
        self._console.print(line, soft_wrap=True)

    def _refused(self, record: Record) -> None:
        line = _head(record, record.fields["client"], record.fields["upstream"])
        line.append(f"refused: {record.fields['reason']}; the client was reset", style="red")
        self._console.print(line, soft_wrap=True)


async def show_held(console: Console, lines: SessionLines) -> None:
    """Keep a list of the held ends at the bottom of a terminal, with the time they have been held."""
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(held_list(lines, time.time()), refresh=True)
            await trio.sleep(_REFRESH)


def describe_ending(ending: Mapping[str, Any]) -> Text:
    """A session's ending in words: who closed first, each flow's end, bytes, losses, how long it took."""
    parts = [_first(ending), *(_flow(ending, leg.value) for leg in Leg)]
    up, down = ending["bytes"]["client"], ending["bytes"]["server"]
    parts.append(Text(f"{_size(up)} up, {_size(down)} down in {_time(ending['duration'])}"))
    parts += [_loss(loss) for loss in ending["losses"]]
    if ending["aborted"]:
        parts.append(Text(f"aborted: {ending['aborted']}", style="bold red"))
    return Text(" · ").join(parts)


def _first(ending: Mapping[str, Any]) -> Text:
    first = ending["closed_first"]
    return Text(f"{first} closed first" if first else "neither end closed")


def _flow(ending: Mapping[str, Any], leg: str) -> Text:
    """``client FIN kept 2s, relayed`` or ``server RST, became FIN``."""
    ended, relayed, kept = (ending[key][leg] for key in ("ended", "relayed", "kept"))
    what = f"{leg} {_NAMES[ended]}"
    if kept:
        what += f" kept {_time(kept)}"
    if relayed == ended:
        what += ", relayed" if kept else " relayed"
    elif relayed != "nothing":
        what += f", the other end saw {_NAMES[relayed]}"
    elif ended != "open":
        what += ", never relayed" if ended == "fin" else ""
    return Text(what, style=_STYLES[ended])


def _loss(loss: Mapping[str, Any]) -> Text:
    return Text(f"lost {_size(loss['bytes'])} of the {loss['leg']}'s ({loss['why']})", style="bold red")


def _head(record: Record, client: Any, server: Any) -> Text:
    name = f"{record.proxy} " if record.proxy else ""
    return Text(f"{name}#{record.session} {_where(client)} → {_where(server)}  ", style="bold")


def _where(address: Any) -> str:
    if address is None:
        return "?"
    return address if isinstance(address, str) else format_address((address[0], address[1]))


def held_list(lines: SessionLines, now: float) -> Text:
    """What is held at `now` (seconds since the epoch), a line each, as far as a screen has room."""
    rows = [
        f"  held: {record.proxy or ''}#{record.session} {record.leg} {_NAMES[record.event.split('.')[0]]} "
        f"for {format_duration(round(max(0.0, now - record.at), 1))}  ({record.fields['rule']})"
        for record in lines.held.values()
    ]
    more = [f"  and {len(rows) - _MOST_SHOWN} more"] if len(rows) > _MOST_SHOWN else []
    return Text("\n".join(rows[:_MOST_SHOWN] + more), style="yellow")


def _plain(record: Record) -> str:
    return escape(json.dumps(record.as_dict(), ensure_ascii=False))


def _size(count: int) -> str:
    """``5 B``, ``64.0 KiB``."""
    size, units = float(count), iter(("KiB", "MiB", "GiB", "TiB"))
    if size < 1024:
        return f"{count} B"
    while size >= 1024 and (unit := next(units, "")):
        size /= 1024
    return f"{size:.1f} {unit}"


def _time(seconds: float) -> str:
    digits = 6 if seconds < 0.001 else 3
    return format_duration(round(seconds, digits))
