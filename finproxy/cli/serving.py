"""The command that runs proxies which are steered over HTTP: serve.

This module must not know how arguments become errors and exit codes (app.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from .app import PROXY, app, known_technique, listen_address
from .households import Hosts, TokenFile, api_settings, created_with, from_settings, run_household
from .running import durations, given, observing

_SERVE_HELP = """Run proxies that are created and steered over HTTP, until SIGINT or SIGTERM.

Toxiproxy's clients work with it unchanged; our own API is under /v1, its page at /v1/docs, Prometheus'
figures at /metrics. With --config the proxies of a file are there from the beginning: TOML, or a JSON file
of Toxiproxy.

[bold]Examples[/bold]

  finproxy serve                                     the API on 127.0.0.1:8474, no proxies yet

  finproxy serve --config finproxy.toml

  finproxy serve --host 0.0.0.0 --api-token-file /run/secrets/finproxy

  curl -d '{"name":"web","listen":"127.0.0.1:9000","upstream":"127.0.0.1:80"}' localhost:8474/proxies

  finproxy ls
"""


@app.command(help=_SERVE_HELP, rich_help_panel=PROXY)
def serve(
    config: Annotated[
        Path | None, typer.Option(help="Proxies, from a TOML file, or a JSON file of Toxiproxy.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Where the API listens. Default 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The API's port; 0 picks one. Default 8474.")
    ] = None,
    api_token_file: Annotated[Path | None, TokenFile] = None,
    api_host: Annotated[list[str] | None, Hosts] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Repeat an earlier run's chance.")] = None,
    max_sessions: Annotated[
        int | None, typer.Option(min=1, help="Each proxy refuses connections beyond this many.")
    ] = None,
    connect_timeout: Annotated[
        str | None, typer.Option(help="How long an upstream may take to accept. Default 10s.")
    ] = None,
    delivery_limit: Annotated[
        str | None,
        typer.Option(help="How long a reset waits for the bytes before it to arrive. Default 10s."),
    ] = None,
    wire: Annotated[str | None, typer.Option(help="What keeps FIN segments out for rules 'at wire'.")] = None,
    grace: Annotated[
        str | None, typer.Option(help="How long sessions may go on after SIGTERM. Default 5s.")
    ] = None,
    journal: Annotated[
        str | None, typer.Option(help="Write each record as a line of JSON; - is standard output.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every record.")] = False,
) -> None:
    """Run proxies that are created and steered over HTTP."""
    from rich.console import Console

    from ..runner import Output
    from ..sockets import room_for_sessions

    limits = {"connect_timeout": connect_timeout, "delivery_limit": delivery_limit, "grace": grace}
    wished: dict[str, Any] = {"grace": 5.0} | given(
        seed=seed, wire=known_technique(wire), **durations(limits)
    )
    common = wished | {"max_sessions": room_for_sessions(max_sessions)}
    file, proxies = _read(config, common)
    listen = file.listen if file and host is None and port is None else _listen(host, port)
    api = api_settings(listen, api_token_file, api_host, file)
    console = Console(stderr=True, highlight=False)
    with observing(journal, console, ladders=False) as observers:
        output = Output(console, quiet=quiet, verbose=verbose)
        run_household(api, proxies, created_with(common), observers, output)


def _listen(host: str | None, port: int | None) -> Any:
    from ..control.settings import PORT

    number = PORT if port is None else port
    if host is None:
        return listen_address(str(number))
    if not host or any(c in host for c in " /[]"):
        raise UsageError(f"--host: expected a name or an address, such as 0.0.0.0, found {host!r}")
    return host, number


def _read(config: Path | None, common: dict[str, Any]) -> tuple[Any, list[Any]]:
    """What a file says of the API, and its proxies."""
    if config is None:
        return None, []
    if config.suffix == ".json":
        from ..control.toxiproxy.config import read_config

        return None, read_config(config, created_with(common))
    from ..config import load

    found = load(config, common, proxies_needed=False)
    return found.api, [from_settings(settings) for settings in found.proxies]
