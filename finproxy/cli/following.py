"""The commands that follow records and set toxics over the API: tail, toxic.

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
from .steering import HERE, Json, ProxyName, Token, Url, client
from .tables import show

_TOXIC_HELP = """Show, add, change and remove toxics of a running proxy: faults in the bytes of one direction.

[bold]Types, and their attributes[/bold]

  latency      latency, jitter (ms)

  bandwidth    rate (KB/s)

  slow_close   delay (ms)

  timeout      timeout (ms; 0: the bytes are lost until it is removed)

  reset_peer   timeout (ms)

  slicer       average_size, size_variation (bytes), delay (us)

  limit_data   bytes

  noop         none: nothing is done

  fin          rule (a rule of the notation)

[bold]Examples[/bold]

  finproxy toxic add web --type latency -a latency=300 -a jitter=50

  finproxy toxic add web --type bandwidth -a rate=100 --upstream --name slow

  finproxy toxic update web slow -a rate=10

  finproxy toxic rm web slow
"""

toxic_app = typer.Typer(no_args_is_help=True, help=_TOXIC_HELP, rich_markup_mode="rich")
app.add_typer(
    toxic_app,
    name="toxic",
    short_help="Show, add, change and remove toxics of a running proxy.",
    rich_help_panel=STEER,
)

Attributes = Annotated[
    list[str] | None, typer.Option("--attribute", "-a", help="NAME=VALUE, such as latency=300; repeatable.")
]
ToxicName = Annotated[str, typer.Argument(metavar="TOXIC", help="The name of a toxic.")]


@app.command(rich_help_panel=STEER)
def tail(
    proxy: Annotated[str | None, typer.Argument(help="Only this proxy's records.")] = None,
    session: Annotated[int | None, typer.Option(min=1, help="Only this session's.")] = None,
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


@toxic_app.command("ls")
def list_toxics(proxy: ProxyName, url: Url = HERE, token_file: Token = None, as_json: Json = False) -> None:
    """List the toxics of a proxy."""
    found = client(url, token_file).ask("GET", "proxies", proxy, "toxics")
    rows = [(t["name"], t["type"], t["stream"], str(t["toxicity"]), _listed(t["attributes"])) for t in found]
    show(found, ("toxic", "type", "stream", "toxicity", "attributes"), rows, as_json=as_json)


@toxic_app.command("add")
def add_toxic(
    proxy: ProxyName,
    kind: Annotated[str, typer.Option("--type", "-t", help="One of those that toxic --help lists.")],
    name: Annotated[str, typer.Option("--name", "-n", help="Default TYPE_STREAM.")] = "",
    toxicity: Annotated[float, typer.Option(help="The share of sessions it is done to.")] = 1.0,
    attribute: Attributes = None,
    upstream: Annotated[
        bool, typer.Option("--upstream/--downstream", "-u/-d", help="The client's bytes, or the server's.")
    ] = False,
    url: Url = HERE,
    token_file: Token = None,
) -> None:
    """Add a toxic: finproxy toxic add web --type latency -a latency=300; prints its name."""
    body = {
        "type": kind,
        "name": name,
        "stream": "upstream" if upstream else "downstream",
        "toxicity": toxicity,
        "attributes": _attributes(attribute),
    }
    typer.echo(client(url, token_file).ask("POST", "proxies", proxy, "toxics", body=body)["name"])


@toxic_app.command("update")
def update_toxic(
    proxy: ProxyName,
    toxic: ToxicName,
    toxicity: Annotated[float | None, typer.Option(help="The share of sessions it is done to.")] = None,
    attribute: Attributes = None,
    url: Url = HERE,
    token_file: Token = None,
) -> None:
    """Change attributes or toxicity; what is not named stays."""
    body = {"attributes": _attributes(attribute), "toxicity": toxicity}
    client(url, token_file).ask("PATCH", "proxies", proxy, "toxics", toxic, body=body)


@toxic_app.command("rm")
def remove_toxic(proxy: ProxyName, toxic: ToxicName, url: Url = HERE, token_file: Token = None) -> None:
    """Remove a toxic; what it kept back goes on, in order."""
    client(url, token_file).ask("DELETE", "proxies", proxy, "toxics", toxic)


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


def _attributes(texts: list[str] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--attribute: expected NAME=VALUE, such as latency=300, found {text!r}")
        found[name] = int(value) if value.removeprefix("-").isdecimal() and len(value) < 20 else value
    return found


def _listed(attributes: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in attributes.items())


def _line(record: dict[str, Any]) -> str:
    """``12:00:00.123 web#1 fin.held client  rule=client.fin -> hold``."""
    head = ("id", "t", "at", "proxy", "session", "event", "leg")
    rest = "  ".join(f"{name}={value}" for name, value in record.items() if name not in head)
    session = f"#{record['session']}" if "session" in record else ""
    when = str(record.get("at", ""))[11:23]
    return f"{when} {record.get('proxy', '')}{session} {record['event']} {record.get('leg', '')}  {rest}"
