"""The command `audit`: any server, client or relay, or the known ones, by all scenarios that apply.

This module must not know how arguments become errors and exit codes (app.py), nor what an audit does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from .app import LOOK, app, errors_of_the_harness
from .audit_arguments import (
    Command,
    Env,
    Jobs,
    Json,
    Junit,
    KnownTakesSeveral,
    Name,
    Only,
    Patience,
    Ready,
    Repeat,
    Report,
    Strict,
    User,
    Version,
    Within,
    audit_one,
    audit_several,
    wishes,
)

_HELP = """Audit how programs end their connections: a matrix of scenarios with a verdict in each cell.

What stands behind [bold]--[/bold] is the program. In it, {port} is a free port that it shall listen on,
{upstream} the port that a relay connects to, {url} what a client asks ({urls}: as often as a scenario wants).

[bold]Examples[/bold]

  finproxy audit server --name mine -- python -m myapp --port {port}

  finproxy audit client -- curl -sS {urls}

  finproxy audit relay -- socat TCP-LISTEN:{port},fork,reuseaddr TCP:127.0.0.1:{upstream}

  finproxy audit --known nginx gunicorn curl --report out/      those that come with it

  finproxy audit --known --jobs 2 --report out/                 all of them that are installed

  finproxy audit --config audit.toml --junit junit.xml --json new.json

  finproxy audit diff old.json new.json

  finproxy audit --list; finproxy audit --explain half-close-request

Exit codes: 0 nothing failed; 1 a cell failed (with --strict, or missed what it should do); 2 a subject could
not be tried, the audit was interrupted, or the arguments cannot be meant. Ctrl-C ends the programs and writes
the report of what was done; a second Ctrl-C kills them.
"""

audit = typer.Typer(cls=KnownTakesSeveral, invoke_without_command=True, rich_markup_mode="rich")
app.add_typer(
    audit,
    name="audit",
    help=_HELP,
    short_help="Audit how programs end their connections.",
    rich_help_panel=LOOK,
)


@audit.callback(invoke_without_command=True)
def known(
    context: typer.Context,
    known: Annotated[
        list[str] | None,
        typer.Option("--known", metavar="[NAME...]", help="Programs that recipes come with; all if no name."),
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Subjects from a TOML file.")] = None,
    only: Only = None,
    strict: Strict = False,
    repeat: Annotated[int | None, typer.Option(min=1, help="Play each cell so often.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Play so many cells at once.")] = None,
    report: Report = None,
    junit: Junit = None,
    json: Json = None,
    list_: Annotated[bool, typer.Option("--list", help="List recipes and scenarios.")] = False,
    explain: Annotated[str | None, typer.Option(metavar="SCENARIO", help="All about one scenario.")] = None,
) -> None:
    """Audit known programs, or those of a file."""
    if context.invoked_subcommand:
        return
    with errors_of_the_harness():
        if list_:
            from harness.audit.command import list_known

            raise typer.Exit(list_known())
        if explain:
            from harness.scenarios import explain_scenario

            raise typer.Exit(explain_scenario(explain))
        if known is None and config is None:
            raise UsageError(
                "expected --known, --config FILE, or one of server, client, relay, diff; "
                "see finproxy audit --help"
            )
        raise typer.Exit(audit_several(known, config, only, strict, repeat, jobs, report, junit, json))


@audit.command()
def server(
    command: Command,
    name: Name = "server",
    protocol: Annotated[
        str | None, typer.Option(help="http, redis, raw, or module:function. Default http.")
    ] = None,
    ask: Annotated[
        list[str] | None,
        typer.Option(help="A path; for raw, given twice: what is sent and what comes back. Default /."),
    ] = None,
    closing: Annotated[
        list[str] | None, typer.Option(help="The same for a request that asks it to close afterwards.")
    ] = None,
    slow: Annotated[
        list[str] | None,
        typer.Option(help="The same for one whose answer takes {seconds}, as in '/slow?{seconds}'."),
    ] = None,
    ready: Ready = None,
    within: Within = None,
    signal: Annotated[str | None, typer.Option(help="What asks it to end: TERM, QUIT, ...")] = None,
    grace: Annotated[str | None, typer.Option(help="How long its shutdown may take. Default 5s.")] = None,
    patience: Patience = None,
    version_command: Version = None,
    user: User = None,
    env: Env = None,
    only: Only = None,
    strict: Strict = False,
    repeat: Repeat = 1,
    jobs: Jobs = 1,
    report: Report = None,
    junit: Junit = None,
    json: Json = None,
) -> None:
    """Audit a server."""
    told: dict[str, Any] = {"protocol": protocol, "ask": ask, "closing": closing, "slow": slow}
    told |= {"ready": ready, "within": within, "signal": signal, "grace": grace, "patience": patience}
    told |= {"version": version_command, "user": user, "env": env}
    wished = wishes(only, strict, repeat, jobs, report, junit, json)
    audit_one("server", name, command, told, wished)


@audit.command()
def client(
    command: Command,
    name: Name = "client",
    patience: Patience = None,
    version_command: Version = None,
    user: User = None,
    env: Env = None,
    only: Only = None,
    strict: Strict = False,
    repeat: Repeat = 1,
    jobs: Jobs = 1,
    report: Report = None,
    junit: Junit = None,
    json: Json = None,
) -> None:
    """Audit a client: a scripted server misbehaves at its connection's end."""
    told: dict[str, Any] = {"patience": patience, "version": version_command, "user": user, "env": env}
    wished = wishes(only, strict, repeat, jobs, report, junit, json)
    audit_one("client", name, command, told, wished)


@audit.command()
def relay(
    command: Command,
    name: Name = "relay",
    listen: Annotated[str, typer.Option(hidden=True, help="Always {port}.")] = "{port}",
    upstream: Annotated[str, typer.Option(hidden=True, help="Always {upstream}.")] = "{upstream}",
    protocol: Annotated[
        str | None,
        typer.Option(help="raw, or http if it understands HTTP and relays only that. Default raw."),
    ] = None,
    ready: Ready = None,
    within: Within = None,
    patience: Patience = None,
    version_command: Version = None,
    user: User = None,
    env: Env = None,
    only: Only = None,
    strict: Strict = False,
    repeat: Repeat = 1,
    jobs: Jobs = 1,
    report: Report = None,
    junit: Junit = None,
    json: Json = None,
) -> None:
    """Audit a relay: a proxy, a tunnel, a port forwarder."""
    for option, found in (("listen", listen), ("upstream", upstream)):
        if not found.startswith("{"):
            raise UsageError(
                f"--{option}: expected a place, as in {{{option}}}, found {found!r}; "
                "the audit chooses the ports itself"
            )
    told: dict[str, Any] = {"protocol": protocol, "ready": ready, "within": within, "patience": patience}
    told |= {"version": version_command, "user": user, "env": env}
    wished = wishes(only, strict, repeat, jobs, report, junit, json)
    audit_one("relay", name, command, told, wished)


@audit.command()
def diff(old: Path, new: Path) -> None:
    """Say which verdicts changed between two JSON reports; exit code 1 if any got worse."""
    from rich.console import Console

    with errors_of_the_harness():
        from harness.audit.diffing import compare, load_report, tell_difference

        found = compare(load_report(old), load_report(new))
        raise typer.Exit(tell_difference(found, Console(highlight=False)))
