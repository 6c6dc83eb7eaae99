"""What `serve` and `run --api` have in common: a household of proxies with an API, made of arguments and run.

This module must not know any command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import UsageError
from ..legs import Address

if TYPE_CHECKING:
    from ..control.settings import ApiSettings, Wanted
    from ..runner import Output
    from ..settings import Settings

UNNAMED = "finproxy"
"""The name over the API of a proxy that was given none."""


def api_settings(
    listen: Address, token_file: Path | None, hosts: Sequence[str] | None, file: ApiSettings | None
) -> ApiSettings:
    """Where an API is served: what the command line says, before what the file says."""
    import os

    from ..addresses import LOOPBACK
    from ..control.settings import ApiSettings

    return ApiSettings(
        listen=listen,
        token_file=token_file or (file.token_file if file else None),
        hosts=tuple(hosts or ()) or (file.hosts if file else ()),
        proxy_host=os.environ.get("FINPROXY_BIND") or LOOPBACK,
    )


def from_settings(settings: Settings) -> Wanted:
    """A proxy of a command line or a file, as the registry takes it."""
    from dataclasses import replace

    from ..addresses import format_address
    from ..control.settings import Wanted

    named = replace(settings, name=settings.name or UNNAMED)
    return Wanted(named, format_address(settings.listen), format_address(settings.upstream))


def created_with(common: Mapping[str, Any]) -> Callable[[str], Settings]:
    """What gives a new proxy its settings, by its name: those of the command line, and a seed of its own."""
    from ..settings import Settings

    return lambda name: Settings(name=name, upstream=("", 0), **common)


def run_household(
    api: ApiSettings,
    proxies: Sequence[Wanted],
    created: Callable[[str], Settings],
    observers: Sequence[Any],
    output: Output,
) -> None:
    """Run until a signal.

    Raises:
        UsageError: two proxies have one name.
    """
    import trio

    from ..control.running import run_with_api
    from ..control.settings import Household

    names = [wanted.settings.name for wanted in proxies]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"expected another name for each proxy, found '{twice[0]}' twice")
    household = Household(api=api, created=created, proxies=proxies, examine=_examine, observers=observers)
    trio.run(run_with_api, household, output)


def _examine() -> Any:
    """What `finproxy doctor --json` prints."""
    import json

    from .watching import examine

    lines: list[str] = []
    examine(as_json=True, out=lines.append)
    return json.loads("\n".join(lines))


TokenFile = typer.Option(
    "--api-token-file",
    envvar="FINPROXY_TOKEN_FILE",
    help="Requests must bear the token in this file.",
)
Hosts = typer.Option(
    "--api-host", help="A name with a dot by which the API may be called; repeatable, * for any."
)
