"""The command that shows this network namespace to a harness elsewhere: agent. The harness does the work.

This module must not know how arguments become errors and exit codes (app.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import LOOK, app, errors_of_the_harness, listen_address

_AGENT_HELP = """Show the TCP states of this network namespace to a harness elsewhere, over HTTP.

A test in another container, or on another host, follows the connections here as if they were its own:
pytest --finproxy-agent server=http://HERE:8475, or harness.watch(..., agents={...}).

[bold]Examples[/bold]

  finproxy agent                                  port 8475, loopback, all connections

  finproxy agent 0.0.0.0:8475 --port 80 --token-file /run/secrets/finproxy

  curl -s 127.0.0.1:8475/v1/rows                  the socket table now

  curl -sN 127.0.0.1:8475/v1/events/stream        transitions as they happen

  docker run --network container:web --pid container:web finproxy agent    beside a running container
"""


@app.command(help=_AGENT_HELP, rich_help_panel=LOOK)
def agent(
    listen: Annotated[
        str, typer.Argument(help="PORT (loopback), HOST:PORT or [IPv6]:PORT; port 0 picks one.")
    ] = "8475",
    port: Annotated[
        list[int] | None,
        typer.Option("--port", "-p", min=1, max=65535, help="Only connections of this port; repeatable."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="Requests must bear the token in this file.", envvar="FINPROXY_TOKEN_FILE"),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(help="A name with a dot by which the agent may be called; repeatable, * for any."),
    ] = None,
    allow_signals: Annotated[
        bool,
        typer.Option(
            "--allow-signals",
            help="Let a test send signals to programs that listen here: app.terminate() over the network.",
        ),
    ] = False,
) -> None:
    """Show the TCP states of this network namespace to a harness elsewhere, over HTTP."""
    with errors_of_the_harness():
        from harness.agent.command import Options, run_agent

        options = Options(
            listen_address(listen), tuple(port or ()), token_file, tuple(host or ()), allow_signals
        )
        run_agent(options, lambda line: typer.echo(line, err=True))
