"""The command that follows records over the API: tail.

This module must not know how a request is sent (client.py).
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..reading import did_you_mean
from ..records import EVENTS
from .app import STEER, app
from .steering import HERE, Token, Url, client, session_number


@app.command(rich_help_panel=STEER)
def tail(
    proxy: Annotated[str | None, typer.Argument(help="Only this proxy's records.")] = None,
    session: Annotated[
        int | None, typer.Option(metavar="SESSION", parser=session_number, help="Only this session's.")
    ] = None,
    event: Annotated[
        str | None, typer.Option(help="Only this event, such as fin.held; fin is all that begin so.")
    ] = None,
    from_start: Annotated[bool, typer.Option("--all", help="Begin with the oldest that is kept.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each record as a line of JSON.")] = False,
    url: Url = HERE,
    token_file: Token = None,
) -> None:
    """Print records as they come, until Ctrl-C; goes on where it was when finproxy comes back.

    [bold]Examples[/bold]

      finproxy tail                                 everything, of all proxies

      finproxy tail web --event fin                 what becomes of web's FINs

      finproxy tail web --session 12 --all          one session from its beginning

      finproxy tail --json --event session.closed   how they ended
    """
    query = {"session": session, "event": _known_event(event), "after": 0 if from_start else None}
    api = client(url, token_file)
    if proxy is not None:
        # Once only: the stream may outlive the proxy, and wait for it to be created anew.
        api.ask("GET", "v1", "proxies", proxy)
    try:
        for record in api.follow({"proxy": proxy, **query}):
            typer.echo(json.dumps(record) if as_json else _line(record))
    except KeyboardInterrupt:
        return


def _known_event(text: str | None) -> str | None:
    """An event, or what some begin with, as the API takes it; a misspelt one would be waited for for ever."""
    if text is None or text in EVENTS:
        return text
    beginnings = sorted({event.partition(".")[0] for event in EVENTS})
    if (beginning := text.removesuffix(".")) not in beginnings:
        raise UsageError(
            f"--event: expected {', '.join(beginnings)} or one of {', '.join(EVENTS)}, found {text!r}"
            f"{did_you_mean(text, (*beginnings, *EVENTS))}"
        )
    return f"{beginning}."


def _line(record: dict[str, Any]) -> str:
    """``12:00:00.123 web#1 fin.held client  rule=client.fin -> hold``."""
    head = ("id", "t", "at", "proxy", "session", "event", "leg")
    rest = "  ".join(f"{name}={value}" for name, value in record.items() if name not in head)
    session = f"#{record['session']}" if "session" in record else ""
    when = str(record.get("at", ""))[11:23]
    return f"{when} {record.get('proxy', '')}{session} {record['event']} {record.get('leg', '')}  {rest}"
