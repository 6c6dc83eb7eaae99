"""The command `audit`: any server, client or relay, or the known ones, by all scenarios that apply.

This module must not know how arguments become errors and exit codes (app.py), nor what an audit does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import UsageError
from .app import app, errors_of_the_harness

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
not be tried, the audit was interrupted, or the arguments cannot be meant.
"""


class _KnownTakesSeveral(TyperGroup):
    """A group in which `--known` takes all names up to the next option, or none for all that are installed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--known" in args:
            start = args.index("--known") + 1
            names = list(_up_to_an_option(args[start:]))
            known = [word for name in names or ["all"] for word in ("--known", name)]
            args = [*args[: start - 1], *known, *args[start + len(names) :]]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed


Only = Annotated[
    str | None,
    typer.Option(help="Scenarios, with wildcards: half-close-*,nginx/rst-*.", metavar="GLOB,.."),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="What a program should do and does not, counts as well.")
]
Repeat = Annotated[int, typer.Option(min=1, help="Play each cell so often; differing runs are marked.")]
Jobs = Annotated[int, typer.Option(min=1, help="Play so many cells at once.")]
Report = Annotated[Path | None, typer.Option(metavar="DIR", help="Write index.html and report.json there.")]
Junit = Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit's XML.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON.")]
Command = Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="The program, behind --.")]
Name = Annotated[str, typer.Option(help="What it is called in the report.")]
Version = Annotated[str | None, typer.Option("--version-command", help="A command that prints its version.")]
Patience = Annotated[str | None, typer.Option(help="How long anything may take. Default 5s.")]
Env = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="For its environment; repeatable.")]

audit = typer.Typer(cls=_KnownTakesSeveral, invoke_without_command=True, rich_markup_mode="rich")
app.add_typer(audit, name="audit", help=_HELP, short_help="Audit how programs end their connections.")


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
        raise typer.Exit(_audit_several(known, config, only, strict, repeat, jobs, report, junit, json))


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
    ready: Annotated[str | None, typer.Option(help="A pattern that it prints when it is ready.")] = None,
    within: Annotated[str | None, typer.Option(help="How long its start may take. Default 30s.")] = None,
    signal: Annotated[str | None, typer.Option(help="What asks it to end: TERM, QUIT, ...")] = None,
    grace: Annotated[str | None, typer.Option(help="How long its shutdown may take. Default 5s.")] = None,
    patience: Patience = None,
    version_command: Version = None,
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
    told = {
        "protocol": protocol,
        "ask": ask,
        "closing": closing,
        "slow": slow,
        "ready": ready,
        "within": within,
    }
    told |= {"signal": signal, "grace": grace, "patience": patience, "version": version_command, "env": env}
    wishes = _wishes(only, strict, repeat, jobs, report, junit, json)
    _audit_one("server", name, command, told, wishes)


@audit.command()
def client(
    command: Command,
    name: Name = "client",
    patience: Patience = None,
    version_command: Version = None,
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
    told = {"patience": patience, "version": version_command, "env": env}
    wishes = _wishes(only, strict, repeat, jobs, report, junit, json)
    _audit_one("client", name, command, told, wishes)


@audit.command()
def relay(
    command: Command,
    name: Name = "relay",
    listen: Annotated[str, typer.Option(hidden=True, help="Always {port}.")] = "{port}",
    upstream: Annotated[str, typer.Option(hidden=True, help="Always {upstream}.")] = "{upstream}",
    http: Annotated[bool, typer.Option("--http", help="It understands HTTP, and relays only that.")] = False,
    ready: Annotated[str | None, typer.Option(help="A pattern that it prints when it is ready.")] = None,
    within: Annotated[str | None, typer.Option(help="How long its start may take. Default 30s.")] = None,
    patience: Patience = None,
    version_command: Version = None,
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
    told = {"protocol": "http" if http else None, "ready": ready, "within": within, "patience": patience}
    told |= {"version": version_command, "env": env}
    wishes = _wishes(only, strict, repeat, jobs, report, junit, json)
    _audit_one("relay", name, command, told, wishes)


@audit.command()
def diff(old: Path, new: Path) -> None:
    """Say which verdicts changed between two JSON reports; exit code 1 if any got worse."""
    from rich.console import Console

    with errors_of_the_harness():
        from harness.audit.diffing import compare, load_report, tell_difference

        found = compare(load_report(old), load_report(new))
        raise typer.Exit(tell_difference(found, Console(highlight=False)))


def _audit_one(
    kind: str, name: str, command: list[str], told: dict[str, Any], wishes: dict[str, Any]
) -> None:
    with errors_of_the_harness():
        from harness.audit.command import Wishes, run_audit
        from harness.audit.reading import read_recipe

        env = dict(_variable(each) for each in told.pop("env") or ())
        given = {key: value for key, value in told.items() if value is not None}
        recipe = read_recipe(
            name, {"kind": kind, "command": list(command), **given, **({"env": env} if env else {})}
        )
        chosen = (
            kind,
            *_options({"name": name, **told}),
            *(f"--env={key}={value}" for key, value in env.items()),
        )
        raise typer.Exit(
            run_audit([recipe], Wishes(chosen_by={name: chosen}, command=tuple(command), **wishes))
        )


def _audit_several(
    known: list[str] | None,
    config: Path | None,
    only: str | None,
    strict: bool,
    repeat: int | None,
    jobs: int | None,
    report: Path | None,
    junit: Path | None,
    json: Path | None,
) -> int:
    from harness.audit.command import Wishes, run_audit
    from harness.audit.configuration import Configuration, load_configuration
    from harness.audit.known import choose

    settings = load_configuration(config) if config else Configuration()
    recipes, notes = list(settings.recipes), []
    chosen_by = {recipe.name: ["--config", str(config)] for recipe in recipes}
    names = [*(known or ()), *settings.known]
    if names:
        found, notes = choose(() if "all" in names else names)
        recipes += found
        chosen_by |= {recipe.name: ["--known", recipe.name] for recipe in found}
    wishes = _wishes(
        only or ",".join(settings.only),
        strict or bool(settings.strict),
        repeat or settings.repeat or 1,
        jobs or settings.jobs or 1,
        report,
        junit,
        json,
    )
    return run_audit(recipes, Wishes(chosen_by=chosen_by, **wishes), notes)


def _wishes(
    only: str | None,
    strict: bool,
    repeat: int,
    jobs: int,
    report: Path | None,
    junit: Path | None,
    json: Path | None,
) -> dict[str, Any]:
    patterns = tuple(pattern.strip() for pattern in (only or "").split(",") if pattern.strip())
    return {
        "only": patterns,
        "strict": strict,
        "repeat": repeat,
        "jobs": jobs,
        "report": report,
        "junit": junit,
        "json": json,
    }


def _options(told: dict[str, Any]) -> list[str]:
    """The options that were given, as they are written on a command line."""
    spelled = {"version": "version-command"}
    return [
        f"--{spelled.get(key, key)}={value}"
        for key, values in told.items()
        for value in (values if isinstance(values, list) else [values])
        if value is not None
    ]


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--env: expected NAME=VALUE, found {text!r}")
    return name, value


def _up_to_an_option(words: list[str]) -> Any:
    for word in words:
        if word.startswith("-"):
            return
        yield word
