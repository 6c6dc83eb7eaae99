"""The command line, and the only place where everything is put together.

A thin skin: each command turns its arguments into settings and calls what does the work. Importing this
module must stay cheap enough for `--help`; what a command needs is imported inside it. (The annotations
are read by typer at run time, so what they name is imported at the top.)
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import __version__
from .errors import FinproxyError, UsageError

if TYPE_CHECKING:
    from .settings import Settings

app = typer.Typer(
    name="finproxy",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A TCP proxy that decides what becomes of every FIN and RST, between any client and any server.",
    epilog="Exit codes: 0 done; 1 the machine refused (a port in use, a file that cannot be written), or what "
    "was to be seen was not; 2 the arguments, a rule or the configuration cannot be meant.",
)

_RUN_HELP = """Put a proxy in front of a service, until SIGINT or SIGTERM.

Without rules it is transparent: FIN as FIN, RST as RST, half-closed connections stay half-closed.

[bold]Examples[/bold]

  finproxy run 9000 127.0.0.1:80

  finproxy run 9000 db.internal:5432 --rule 'server.fin -> delay 2s~200ms'

  finproxy run 9000 localhost:6379 --rule 'client.fin -> drop' --journal run.jsonl

  finproxy run 9000 '[::1]:8080' --rule 'server.bytes 1000 -> reset @0.1' --seed 7

  finproxy run 9000 localhost:8080 --rule 'client.fin -> hold 5s at wire' --ladders

  finproxy run --config finproxy.toml

Every trigger and action: finproxy rules
"""

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


def main() -> None:
    """Run the command line; every error that is meant for users is one sentence on standard error."""
    try:
        app()
    except FinproxyError as error:
        typer.echo(f"finproxy: {error}", err=True)
        sys.exit(error.exit_code)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"finproxy {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold the options that come before a command."""


@app.command(help=_RUN_HELP)
def run(
    listen: Annotated[
        str | None, typer.Argument(help="PORT (loopback), HOST:PORT or [IPv6]:PORT; port 0 picks one.")
    ] = None,
    upstream: Annotated[
        str | None, typer.Argument(help="Where the service is: HOST:PORT, [IPv6]:PORT or PORT.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", "-r", help="What becomes of an end; repeatable, the first match wins."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Several proxies, each with its rules, from a TOML file.")
    ] = None,
    journal: Annotated[
        str | None, typer.Option(help="Write each record as a line of JSON; - is standard output.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Repeat an earlier run's chance; printed when not given.")
    ] = None,
    max_sessions: Annotated[
        int | None, typer.Option(min=1, help="Refuse connections beyond this many.")
    ] = None,
    connect_timeout: Annotated[
        str | None, typer.Option(help="How long the upstream may take to accept. Default 10s.")
    ] = None,
    delivery_limit: Annotated[
        str | None,
        typer.Option(help="How long a reset waits for the bytes before it to arrive. Default 10s."),
    ] = None,
    wire: Annotated[
        str | None,
        typer.Option(
            help="What keeps FIN segments out for rules 'at wire': zero-window, socket-filter, nfqueue."
        ),
    ] = None,
    grace: Annotated[
        str | None, typer.Option(help="How long sessions may go on after SIGTERM. Default 5s.")
    ] = None,
    ladders: Annotated[
        bool, typer.Option("--ladders", help="Draw both ends' TCP states after each session, with times.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every record.")] = False,
) -> None:
    """Put a proxy in front of a service."""
    import trio
    from rich.console import Console

    from .journal import Journal
    from .runner import Output, run_proxies

    durations = {"connect_timeout": connect_timeout, "delivery_limit": delivery_limit, "grace": grace}
    common = _given(seed=seed, max_sessions=max_sessions, wire=wire, **_durations(durations))
    proxies = _fit_to_the_machine(_proxies(listen, upstream, rule, config, common))
    console = Console(stderr=True, highlight=False)
    with ExitStack() as stack:
        observers: list[Any] = []
        if journal:
            out = Journal.open(journal)
            stack.callback(out.close)
            observers.append(out)
        if ladders:
            observers.append(stack.enter_context(_ladders(console)))
        trio.run(run_proxies, proxies, observers, Output(console, quiet=quiet, verbose=verbose))


@app.command(help=_DEMO_HELP)
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
    with _errors_of_the_harness():
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
            wire=wire,
        )
        raise typer.Exit(run_demo(options))


@app.command(help=_WATCH_HELP)
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
    with _errors_of_the_harness():
        from harness.watch_table import run_watch

        number = None if port is None else _port(port)
        raise typer.Exit(run_watch(port=number, pid=pid, until_closed=until_closed, source=source))


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Prove what works here: each source by a real look-up, each wire technique by holding a real FIN."""
    from functools import partial

    from harness.doctor import run_doctor

    from .wire.choice import TECHNIQUES

    probes = [(f"wire: {kind.name}", partial(_probe, kind)) for kind in TECHNIQUES]
    raise typer.Exit(run_doctor(probes, as_json=as_json, out=typer.echo))


@app.command()
def rules() -> None:
    """List every trigger and action of the rule notation, with an example of each."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from . import guide

    console = Console(highlight=False)
    console.print(guide.NOTATION, style="bold", markup=False)
    console.print(f"\n{guide.INTRODUCTION}\n", markup=False)
    for title, entries in (("trigger", guide.TRIGGERS), ("action", guide.ACTIONS)):
        table = Table(box=None, pad_edge=False)
        for heading in (title, "fires when" if title == "trigger" else "the other endpoint sees", "example"):
            table.add_column(heading, overflow="fold")
        for entry in entries:
            table.add_row(*(Text(cell) for cell in entry))
        console.print(table, "\n")
    console.print(guide.FOOTNOTE, markup=False)


@contextmanager
def _errors_of_the_harness() -> Iterator[None]:
    """Make the harness's errors errors of this command line: a sentence and an exit code."""
    from harness.errors import HarnessError
    from harness.errors import UsageError as CannotBeMeant

    try:
        yield
    except CannotBeMeant as error:
        raise UsageError(str(error)) from error
    except HarnessError as error:
        raise FinproxyError(str(error)) from error


@contextmanager
def _ladders(console: Any) -> Iterator[Any]:
    from harness.ladder_printer import LadderPrinter

    with _errors_of_the_harness(), LadderPrinter(console) as printer:
        yield printer


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


def _proxies(
    listen: str | None,
    upstream: str | None,
    rules: list[str] | None,
    config: Path | None,
    common: dict[str, Any],
) -> list[Settings]:
    """The proxies that the arguments describe: one on the command line, or those of the file."""
    from .addresses import parse_listen, parse_upstream
    from .config import load
    from .settings import Settings

    defaults = {"grace": 5.0} | common
    if config is not None:
        if listen is not None or rules:
            raise UsageError("expected either LISTEN and UPSTREAM with --rule, or --config, found both")
        return load(config, defaults)
    if listen is None or upstream is None:
        raise UsageError(
            "expected LISTEN and UPSTREAM, as in 'finproxy run 9000 127.0.0.1:80', or --config FILE"
        )
    return [
        Settings(
            listen=parse_listen(listen),
            upstream=parse_upstream(upstream),
            rules=tuple(_rule(text) for text in rules or ()),
            **defaults,
        )
    ]


def _rule(text: str) -> Any:
    from .notation import parse_rule

    try:
        return parse_rule(text)
    except UsageError as error:
        raise UsageError(f"--rule: {error}\n  (finproxy rules lists all triggers and actions)") from error


def _durations(texts: dict[str, str | None]) -> dict[str, float | None]:
    from .units import parse_duration

    found: dict[str, float | None] = {}
    for name, text in texts.items():
        try:
            found[name] = None if text is None else parse_duration(text)
        except UsageError as error:
            raise UsageError(f"--{name.replace('_', '-')}: {error}") from error
    return found


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _fit_to_the_machine(proxies: list[Settings]) -> list[Settings]:
    """See that there are file descriptors for the sessions; without a wish, as many as there are."""
    from dataclasses import replace

    from .sockets import room_for_sessions

    wished = [settings.max_sessions for settings in proxies if settings.max_sessions]
    room = room_for_sessions(sum(wished) if len(wished) == len(proxies) else None)
    return [replace(settings, max_sessions=settings.max_sessions or room) for settings in proxies]
