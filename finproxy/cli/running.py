"""The commands that run proxies, or say what can be asked of them: run, rules.

This module must not know how arguments become errors and exit codes (app.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from .app import PROXY, app, errors_of_the_harness, known_technique, listen_address
from .households import Hosts, TokenFile, api_settings, created_with, from_settings, run_household

if TYPE_CHECKING:
    from ..config import Config
    from ..settings import Settings

_RUN_HELP = """Put a proxy in front of a service, until SIGINT or SIGTERM.

Without rules it is transparent: FIN as FIN, RST as RST, half-closed connections stay half-closed.

[bold]Examples[/bold]

  finproxy run 9000 127.0.0.1:80

  finproxy run 9000 db.internal:5432 --rule 'server.fin -> delay 2s~200ms'

  finproxy run 9000 localhost:6379 --rule 'client.fin -> drop' --journal run.jsonl

  finproxy run 9000 '[::1]:8080' --rule 'server.bytes 1000 -> reset @0.1' --seed 7

  finproxy run 9000 localhost:8080 --rule 'client.fin -> hold 5s at wire' --ladders

  finproxy run --config finproxy.toml

  finproxy run 9000 localhost:80 --api 8474        steer it: finproxy ls, hold, release, ...

Every trigger and action: finproxy rules
"""


@app.command(help=_RUN_HELP, rich_help_panel=PROXY)
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
    api: Annotated[
        str | None, typer.Option(help="Serve an API that steers the proxy: PORT or HOST:PORT, as 8474.")
    ] = None,
    api_token_file: Annotated[Path | None, TokenFile] = None,
    api_host: Annotated[list[str] | None, Hosts] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every record.")] = False,
) -> None:
    """Put a proxy in front of a service."""
    import trio
    from rich.console import Console

    from ..runner import Output, run_proxies

    limits = {"connect_timeout": connect_timeout, "delivery_limit": delivery_limit, "grace": grace}
    common = given(seed=seed, max_sessions=max_sessions, wire=known_technique(wire), **durations(limits))
    found = _proxies(listen, upstream, rule, config, common)
    proxies = _fit_to_the_machine(found.proxies)
    console = Console(stderr=True, highlight=False)
    output = Output(console, quiet=quiet, verbose=verbose)
    with observing(journal, console, ladders=ladders) as observers:
        if api is not None:
            where = listen_address(api)
        elif found.api is not None:
            where = found.api.listen
        else:
            trio.run(run_proxies, proxies, observers, output)
            return
        served = api_settings(where, api_token_file, api_host, found.api)
        defaults = {"grace": 5.0, "max_sessions": proxies[0].max_sessions} | common
        wanted = [from_settings(settings) for settings in proxies]
        run_household(served, wanted, created_with(defaults), observers, output)


@contextmanager
def observing(journal: str | None, console: Any, *, ladders: bool) -> Iterator[list[Any]]:
    """The observers that a command line asks for."""
    from ..journal import Journal

    with ExitStack() as stack:
        observers: list[Any] = []
        if journal:
            out = Journal.open(journal)
            stack.callback(out.close)
            observers.append(out)
        if ladders:
            observers.append(stack.enter_context(_ladders(console)))
        yield observers


@app.command(rich_help_panel=PROXY)
def rules() -> None:
    """List every trigger and action of the rule notation, with an example of each."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from .. import guide

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
def _ladders(console: Any) -> Iterator[Any]:
    from harness.ladder_printer import LadderPrinter

    with errors_of_the_harness(), LadderPrinter(console) as printer:
        yield printer


def _proxies(
    listen: str | None,
    upstream: str | None,
    rules: list[str] | None,
    config: Path | None,
    common: dict[str, Any],
) -> Config:
    """The proxies that the arguments describe: one on the command line, or those of the file."""
    from ..addresses import parse_upstream
    from ..config import Config, load
    from ..settings import Settings

    defaults = {"grace": 5.0} | common
    if config is not None:
        if listen is not None or rules:
            raise UsageError("expected either LISTEN and UPSTREAM with --rule, or --config, found both")
        return load(config, defaults)
    if listen is None or upstream is None:
        raise UsageError(
            "expected LISTEN and UPSTREAM, as in 'finproxy run 9000 127.0.0.1:80', or --config FILE"
        )
    one = Settings(
        listen=listen_address(listen),
        upstream=parse_upstream(upstream),
        rules=tuple(_rule(text) for text in rules or ()),
        **defaults,
    )
    return Config([one], None)


def _rule(text: str) -> Any:
    from ..notation import parse_rule

    try:
        return parse_rule(text)
    except UsageError as error:
        raise UsageError(f"--rule: {error}\n  (finproxy rules lists all triggers and actions)") from error


def durations(texts: dict[str, str | None]) -> dict[str, float | None]:
    """Seconds of each option's text; the complaint names the option."""
    from ..units import parse_duration

    found: dict[str, float | None] = {}
    for name, text in texts.items():
        try:
            found[name] = None if text is None else parse_duration(text)
        except UsageError as error:
            raise UsageError(f"--{name.replace('_', '-')}: {error}") from error
    return found


def given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _fit_to_the_machine(proxies: list[Settings]) -> list[Settings]:
    """See that there are file descriptors for the sessions; without a wish, as many as there are."""
    from dataclasses import replace

    from ..sockets import room_for_sessions

    wished = [settings.max_sessions for settings in proxies if settings.max_sessions]
    room = room_for_sessions(sum(wished) if len(wished) == len(proxies) else None)
    return [replace(settings, max_sessions=settings.max_sessions or room) for settings in proxies]
