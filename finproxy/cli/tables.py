"""What the steering commands print: an answer of the API as JSON for programs, as a table for people.

This module must not know where answers come from.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Final

import typer

from ..units import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_NO_LIMIT: Final = 100_000
"""Columns: wider than any table, so that each line of a file or a pipe is a whole row for grep and awk."""
_PROSE: Final = frozenset({"rules", "toxics", "attributes", "client leg", "server leg"})
"""What can be read in several lines. All else is copied, as an address is: it is never broken."""


def show(answer: Any, headings: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, as_json: bool) -> None:
    """Print an answer: as JSON for programs, as a table for people."""
    if as_json:
        typer.echo(json.dumps(answer))
        return
    from rich.console import Console

    table = _table(headings, list(rows))
    terminal = Console()
    # With a height as well: to a terminal without a name rich would give 80 columns all the same.
    Console(highlight=False, width=_width(terminal, table), height=terminal.height).print(table)


def _table(headings: tuple[str, ...], rows: Collection[tuple[str, ...]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading, *cells in zip(headings, *rows, strict=True):
        prose = heading in _PROSE
        # Not no_wrap alone: rich takes from such columns, too, once there is nothing left of the others.
        widest = None if prose else max(map(len, (heading, *cells)))
        table.add_column(heading, overflow="fold", no_wrap=not prose, min_width=widest)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _width(terminal: Console, table: Table) -> int:
    """The terminal's, unless what must not be broken needs more: then it is the terminal that folds."""
    if not sys.stdout.isatty():
        return _NO_LIMIT
    endless = terminal.options.update(max_width=_NO_LIMIT)
    return max(terminal.width, terminal.measure(table, options=endless).minimum)


def proxy_row(proxy: dict[str, Any]) -> tuple[str, ...]:
    """A proxy in a line."""
    return (
        proxy["name"],
        proxy["listen"],
        proxy["upstream"],
        "enabled" if proxy["enabled"] else "disabled",
        str(proxy["sessions"]["open"]),
        "; ".join(proxy["rules"]),
        ", ".join(toxic["name"] for toxic in proxy["toxics"]),
    )


def session_row(session: dict[str, Any]) -> tuple[str, ...]:
    """A live session in a line."""
    return (
        session["proxy"],
        str(session["session"]),
        f"{session['age']:.1f}s",
        _place(session["client"]),
        _place(session["server"]),
        _leg(session["legs"]["client"]),
        _leg(session["legs"]["server"]),
    )


def hold_line(session: dict[str, Any], leg: str) -> str:
    """What a hold that was asked for has come to."""
    if session["legs"].get(leg, {}).get("held"):
        return f"{_named(session)}: the {_end(session, leg)} is held, until it is released"
    return f"{_named(session)}: the {leg}'s FIN will be held when it comes"


def release_line(before: dict[str, Any], leg: str) -> str:
    """What a release has done to a session that was like this."""
    was = before["legs"].get(leg, {})
    if waiting := was.get("waiting"):
        off = f"'{waiting['action']}' of the {leg}'s FIN is called off"
        return f"{_named(before)}: {off}; nothing was held"
    held = f" after {was['held']['for']:.1f}s" if was.get("held") else ""
    return f"{_named(before)}: the {_end(before, leg)} was let go{held}"


def released_line(proxy: str, count: int) -> str:
    """How much of a proxy was let go."""
    if count:
        return f"released {counted(count, 'held end')}"
    return f"nothing of {proxy} is held; 'finproxy release {proxy} SESSION' calls off a hold that waits"


def _named(session: dict[str, Any]) -> str:
    return f"session {session['session']} of {session['proxy']}"


def _end(session: dict[str, Any], leg: str) -> str:
    aborted = session["legs"].get(leg, {}).get("state") == "aborted"
    return f"{leg}'s {'RST' if aborted else 'FIN'}"


def _place(address: list[Any]) -> str:
    from ..addresses import format_address

    return format_address((address[0], address[1]))


def _leg(leg: dict[str, Any]) -> str:
    held = f", held {leg['held']['for']:.1f}s ({leg['held']['rule']})" if leg["held"] else ""
    waiting = f", {leg['waiting']['action']} when its FIN comes" if leg["waiting"] else ""
    return f"{leg['state']}, {leg['bytes']} B{held}{waiting}"
