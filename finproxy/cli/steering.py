"""The commands that steer a running finproxy over its API: ls, sessions, hold, release, act, kill, rule ...

This module must not know how a request is sent (client.py), nor how arguments become errors (app.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from .app import STEER, app
from .tables import hold_line, proxy_row, release_line, released_line, session_row, show

if TYPE_CHECKING:
    from .client import ApiClient


def session_number(text: str) -> int:
    """The number of a session. Not left to typer, whose complaint does not show what was given."""
    if not text.isdecimal() or not 0 < len(text) < 19 or not int(text):
        raise UsageError(
            f"expected the number of a session, such as 12, found {text!r}; finproxy sessions lists them"
        )
    return int(text)


Url = Annotated[
    str, typer.Option("--url", envvar="FINPROXY_URL", help="Where the API is.", show_default=True)
]
Token = Annotated[
    Path | None, typer.Option("--token-file", envvar="FINPROXY_TOKEN_FILE", help="The API's token.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
ProxyName = Annotated[
    str, typer.Argument(metavar="PROXY", help="The name of a proxy; finproxy ls lists them.")
]
SessionNumber = Annotated[
    int, typer.Argument(metavar="SESSION", parser=session_number, help="finproxy sessions lists them.")
]
End = Annotated[str, typer.Argument(metavar="END", help="client.fin or server.fin.")]
HERE = "http://127.0.0.1:8474"

_RULE_HELP = """Show, add and remove rules of a running proxy. finproxy rules explains the notation.

[bold]Examples[/bold]

  finproxy rule add web 'client.fin -> delay 1s'     in open sessions, too

  finproxy rule add web 'server.reset -> drop' --first

  finproxy rule ls web                               the first that matches wins

  finproxy rule rm web 'client.fin -> delay 1s'
"""

rule_app = typer.Typer(no_args_is_help=True, help=_RULE_HELP, rich_markup_mode="rich")
app.add_typer(
    rule_app,
    name="rule",
    short_help="Show, add and remove rules of a running proxy.",
    rich_help_panel=STEER,
)


@app.command(rich_help_panel=STEER)
def ls(url: Url = HERE, token_file: Token = None, as_json: Json = False) -> None:
    """List the proxies of a running finproxy.

    Example: finproxy ls --json | jq '.proxies[].listen'
    """
    found = client(url, token_file).ask("GET", "v1", "proxies")
    rows = [proxy_row(proxy) for proxy in found["proxies"]]
    show(found, ("proxy", "listen", "upstream", "", "open", "rules", "toxics"), rows, as_json=as_json)


@app.command(rich_help_panel=STEER)
def sessions(
    proxy: Annotated[str | None, typer.Argument(help="Only this proxy's.")] = None,
    url: Url = HERE,
    token_file: Token = None,
    as_json: Json = False,
) -> None:
    """List the live sessions: ends, states of both legs, bytes, and what is held."""
    path = ("v1", "proxies", proxy, "sessions") if proxy else ("v1", "sessions")
    found = client(url, token_file).ask("GET", *path)
    rows = [session_row(session) for session in found["sessions"]]
    headings = ("proxy", "session", "age", "client", "server", "client leg", "server leg")
    show(found, headings, rows, as_json=as_json)


@app.command(rich_help_panel=STEER)
def hold(
    proxy: ProxyName, session: SessionNumber, end: End, url: Url = HERE, token_file: Token = None
) -> None:
    """Hold the end of an endpoint's flow when it comes: finproxy hold web 12 server.fin."""
    leg = _leg_of(end)
    now = client(url, token_file).ask("POST", *_session(proxy, session), "hold", body={"leg": leg})
    typer.echo(hold_line(now, leg))


@app.command(rich_help_panel=STEER)
def release(
    proxy: ProxyName,
    session: Annotated[
        int | None, typer.Argument(metavar="SESSION", parser=session_number, help="Only this session's.")
    ] = None,
    end: Annotated[str | None, typer.Argument(help="Only this end: client.fin or server.fin.")] = None,
    url: Url = HERE,
    token_file: Token = None,
) -> None:
    """Let go what is held: of a proxy, of a session, or one end; call off a session's hold that waits."""
    api = client(url, token_file)
    if session is None:
        done = api.ask("POST", "v1", "proxies", proxy, "release")
        typer.echo(released_line(proxy, done["released"]))
        return
    named = [_leg_of(end)] if end else []
    before = api.ask("GET", *_session(proxy, session))
    for leg in named or _to_release(before):
        api.ask("POST", *_session(proxy, session), "release", body={"leg": leg})
        typer.echo(release_line(before, leg))


@app.command(rich_help_panel=STEER)
def act(
    proxy: ProxyName,
    session: SessionNumber,
    end: End,
    action: Annotated[str, typer.Argument(help="As in a rule: fin, reset, 'delay 2s', ...")],
    url: Url = HERE,
    token_file: Token = None,
) -> None:
    """Do now what a rule with this action would do: finproxy act web 12 client fin."""
    body = {"leg": _leg_of(end), "action": action}
    client(url, token_file).ask("POST", *_session(proxy, session), "act", body=body)


@app.command(rich_help_panel=STEER)
def kill(
    proxy: ProxyName,
    session: SessionNumber,
    reset: Annotated[bool, typer.Option("--reset", help="With a RST to both ends, not a FIN.")] = False,
    url: Url = HERE,
    token_file: Token = None,
) -> None:
    """End a session, with a FIN to both ends, or with a RST."""
    body = {"how": "reset" if reset else "full-close"}
    client(url, token_file).ask("POST", *_session(proxy, session), "kill", body=body)


@app.command(rich_help_panel=STEER)
def create(
    name: Annotated[str, typer.Argument(help="The name of the new proxy.")],
    listen: Annotated[str, typer.Argument(help="PORT, HOST:PORT or [IPv6]:PORT; port 0 picks one.")],
    upstream: Annotated[str, typer.Argument(help="Where it leads to.")],
    rule: Annotated[list[str] | None, typer.Option("--rule", "-r", help="A rule; repeatable.")] = None,
    url: Url = HERE,
    token_file: Token = None,
) -> None:
    """Create a proxy: finproxy create web 9000 localhost:80; prints where it listens."""
    body = {"name": name, "listen": listen, "upstream": upstream, "rules": rule or []}
    typer.echo(client(url, token_file).ask("POST", "v1", "proxies", body=body)["listen"])


@app.command(rich_help_panel=STEER)
def delete(proxy: ProxyName, url: Url = HERE, token_file: Token = None) -> None:
    """Delete a proxy; its sessions are closed, with a FIN to both ends."""
    client(url, token_file).ask("DELETE", "v1", "proxies", proxy)


@rule_app.command("ls")
def list_rules(proxy: ProxyName, url: Url = HERE, token_file: Token = None) -> None:
    """Print the rules of a proxy, one a line; the first that matches wins."""
    _print_rules(client(url, token_file).ask("GET", *_rules(proxy)))


@rule_app.command("add")
def add_rule(
    proxy: ProxyName,
    rule: Annotated[str, typer.Argument(help="In the notation; finproxy rules lists it.")],
    first: Annotated[bool, typer.Option("--first", help="Before the others.")] = False,
    url: Url = HERE,
    token_file: Token = None,
) -> None:
    """Add a rule, also for sessions that are open: finproxy rule add web 'client.fin -> delay 1s'."""
    _print_rules(client(url, token_file).ask("POST", *_rules(proxy), body={"rule": rule, "first": first}))


@rule_app.command("rm")
def remove_rule(
    proxy: ProxyName,
    rule: Annotated[str, typer.Argument(help="The rule, as rule ls prints it.")],
    url: Url = HERE,
    token_file: Token = None,
) -> None:
    """Remove a rule; prints those that are left."""
    _print_rules(client(url, token_file).ask("DELETE", *_rules(proxy), rule=rule))


def client(url: str, token_file: Path | None) -> ApiClient:
    """The API that a command talks to."""
    from .client import ApiClient

    return ApiClient(url, token_file)


def _print_rules(answer: dict[str, list[str]]) -> None:
    for rule in answer["rules"]:
        typer.echo(rule)


def _session(proxy: str, session: int) -> tuple[str | int, ...]:
    return "v1", "proxies", proxy, "sessions", session


def _rules(proxy: str) -> tuple[str, ...]:
    return "v1", "proxies", proxy, "rules"


def _to_release(session: dict[str, Any]) -> list[str]:
    legs = [name for name, leg in session["legs"].items() if leg["held"] or _asked_for(leg)]
    if not legs:
        proxy, number = session["proxy"], session["session"]
        raise UsageError(
            f"expected a held end of session {number} of {proxy}, found none; "
            f"'finproxy sessions {proxy}' lists what is held"
        )
    return legs


def _asked_for(leg: dict[str, Any]) -> bool:
    return leg["waiting"] is not None and bool(leg["waiting"]["rule"] == "request")


def _leg_of(end: str) -> str:
    leg, _, what = end.partition(".")
    if leg not in {"client", "server"} or what not in {"", "fin"}:
        raise UsageError(f"expected client.fin or server.fin, found {end!r}")
    return leg
