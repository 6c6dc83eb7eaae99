"""The commands that look at TCP states: demo, watch, doctor. The harness does the work.

This module must not know how arguments become errors and exit codes (app.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from .app import LOOK, app, errors_of_the_harness, known_technique

_DEMO_HELP = """Walk down Table 154 on real sockets: each state of a closing connection, held and seen.

A client process, a server process and the proxy between them. Row by row: one act, then both ends' states as
the kernel's tables show them, then the next row; at last the ladder diagram of what was observed. Needs no
privilege; prettier with it.

[bold]Examples[/bold]

  finproxy demo

  finproxy demo --mirror                        the server closes first

  finproxy demo --simultaneous --svg out.svg    both close at once: CLOSING

  finproxy demo --row 4                         stop there and hold it: look with ss or Wireshark

  finproxy demo --wait-2msl                     to the very end, 60 s more

  finproxy demo --upstream localhost:80         a real server, which closes when it likes

Exit codes: 0 every row was observed; 1 a row was not, and why; 2 the arguments cannot be meant.
"""

_WATCH_HELP = """Show every connection of a port or a process: states, since when, owner, queues, timer.

[bold]Examples[/bold]

  finproxy watch :9000

  finproxy watch --pid 4242 --until-closed
"""


@app.command(help=_DEMO_HELP, rich_help_panel=LOOK)
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print what was observed as JSON.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Write the ladder diagram to this file.")] = None,
    upstream: Annotated[
        str | None, typer.Option(help="A real server, HOST:PORT: only the client's side is driven then.")
    ] = None,
    wait_2msl: Annotated[
        bool, typer.Option("--wait-2msl", help="Also wait until TIME-WAIT is over: 60 s.")
    ] = False,
    row: Annotated[
        int | None, typer.Option(help="Stop after this row; on a terminal, hold it until Enter.")
    ] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="The server closes first.")] = False,
    simultaneous: Annotated[bool, typer.Option("--simultaneous", help="Both ends close at once.")] = False,
    half_close: Annotated[
        bool, typer.Option("--half-close", help="The first end goes on to read what the other still sends.")
    ] = False,
    source: Annotated[
        str | None, typer.Option(help="See by this alone: sock_diag, procfs, psutil, tracepoint.")
    ] = None,
    wire: Annotated[
        str | None, typer.Option(help="Keep FINs out by this: zero-window, socket-filter, nfqueue.")
    ] = None,
) -> None:
    """Walk down Table 154 on real sockets."""
    with errors_of_the_harness():
        from harness.demo.command import Options, run_demo

        options = Options(
            as_json=as_json,
            svg=svg,
            upstream=upstream,
            wait_2msl=wait_2msl,
            row=row,
            mirror=mirror,
            simultaneous=simultaneous,
            half_close=half_close,
            source=source,
            wire=known_technique(wire),
        )
        raise typer.Exit(run_demo(options))


@app.command(help=_WATCH_HELP, rich_help_panel=LOOK)
def watch(
    port: Annotated[str | None, typer.Argument(metavar="[:PORT]", help="A port of this machine.")] = None,
    pid: Annotated[int | None, typer.Option(min=1, help="The ports of this process instead.")] = None,
    until_closed: Annotated[
        bool, typer.Option("--until-closed", help="End when every connection that was seen is closed.")
    ] = False,
    source: Annotated[
        str | None, typer.Option(help="See by this alone: sock_diag, procfs, psutil, tracepoint.")
    ] = None,
) -> None:
    """Show every connection of a port or a process."""
    if (port is None) == (pid is None):
        raise UsageError("expected a port or a process, as in 'finproxy watch :9000' or --pid 4242")
    with errors_of_the_harness():
        from harness.watch_table import run_watch

        number = None if port is None else _port(port)
        raise typer.Exit(run_watch(port=number, pid=pid, until_closed=until_closed, source=source))


@app.command(rich_help_panel=LOOK)
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Prove what works here: each source by a real look-up, each wire technique by holding a real FIN."""
    raise typer.Exit(examine(as_json=as_json, out=typer.echo))


def examine(*, as_json: bool, out: Callable[[str], None]) -> int:
    """Try everything here and tell `out` what was found; 0 if states can be seen, else 1."""
    from functools import partial

    from harness.doctor import run_doctor

    from ..wire.choice import TECHNIQUES

    probes = [(f"wire: {kind.name}", partial(_probe, kind)) for kind in TECHNIQUES]
    return run_doctor(probes, as_json=as_json, out=out)


_SCENARIOS_HELP = """List the termination scenarios that pytest's mark fin_scenario and an audit can play.

[bold]Examples[/bold]

  finproxy scenarios

  finproxy scenarios relay                         those that try a relay

  finproxy scenarios --explain half-close-request  what is done, what must be seen, why, by what right
"""


@app.command(help=_SCENARIOS_HELP, rich_help_panel=LOOK)
def scenarios(
    subject: Annotated[
        str | None, typer.Argument(help="Only those that try a server, a client or a relay.")
    ] = None,
    explain: Annotated[str | None, typer.Option(metavar="NAME", help="Tell all about one of them.")] = None,
) -> None:
    """List the termination scenarios, or explain one."""
    from harness.scenarios.listing import explain_scenario, list_scenarios

    with errors_of_the_harness():
        raise typer.Exit(explain_scenario(explain) if explain else list_scenarios(subject=subject))


def _probe(technique: Any) -> Any:
    used = technique()
    try:
        return used.probe()
    finally:
        used.close()


def _port(text: str) -> int:
    number = text.removeprefix(":")
    if not number.isdecimal() or not 0 < int(number) < 2**16:
        raise UsageError(f"expected a port from 1 to 65535, as in :9000, found {text!r}")
    return int(number)
