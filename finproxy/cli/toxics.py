"""The commands that set toxics over the API: toxic ls, add, update and rm.

This module must not know how a request is sent (client.py).
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import UsageError
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
    from ..toxics.described import described

    stream = "upstream" if upstream else "downstream"
    # Here, before it is sent: the API drops a misspelt attribute in silence, as Toxiproxy's does.
    toxic = described(kind, _attributes(attribute), name=name, stream=stream, toxicity=toxicity)
    body = toxic.as_dict()
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
    from ..toxics.described import check_names

    api, attributes = client(url, token_file), _attributes(attribute)
    if attributes:
        check_names(api.ask("GET", "proxies", proxy, "toxics", toxic)["type"], attributes)
    body = {"attributes": attributes, "toxicity": toxicity}
    api.ask("PATCH", "proxies", proxy, "toxics", toxic, body=body)


@toxic_app.command("rm")
def remove_toxic(proxy: ProxyName, toxic: ToxicName, url: Url = HERE, token_file: Token = None) -> None:
    """Remove a toxic; what it kept back goes on, in order."""
    client(url, token_file).ask("DELETE", "proxies", proxy, "toxics", toxic)


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
