"""What all commands share: the application, its exit codes, and errors as one sentence each.

This module must not know any command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__
from ..errors import FinproxyError, UsageError
from ..legs import Address

PROXY = "Put a proxy in between"
LOOK = "Look at connections, and judge programs"
STEER = "Steer a finproxy that runs (serve, or run --api)"
_PANELS = (PROXY, LOOK, STEER)


class _InPanels(TyperGroup):
    """Commands in the order of their panels: a newcomer needs `run` first, and `rule rm` last."""

    def list_commands(self, ctx: Any) -> list[str]:  # of click, or of the copy that newer typers bring
        def place(name: str) -> int:
            return _PANELS.index(str(getattr(self.commands[name], "rich_help_panel", STEER)))

        return sorted(super().list_commands(ctx), key=place)


app = typer.Typer(
    name="finproxy",
    cls=_InPanels,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A TCP proxy that decides what becomes of every FIN and RST, between any client and any server.",
    epilog="Exit codes: 0 done; 1 the machine refused (a port in use, a file that cannot be written), or "
    "what should be seen was not; 2 the arguments, a rule or the configuration cannot be meant.",
)


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


@contextmanager
def errors_of_the_harness() -> Iterator[None]:
    """Make the harness's errors errors of this command line: a sentence and an exit code."""
    from harness.errors import HarnessError
    from harness.errors import UsageError as CannotBeMeant

    try:
        yield
    except CannotBeMeant as error:
        raise UsageError(str(error)) from error
    except HarnessError as error:
        raise FinproxyError(str(error)) from error


def listen_address(text: str) -> Address:
    """Return where to listen. A bare port is on loopback, or on the interface that FINPROXY_BIND names.

    That is what the image sets: in a container, loopback is nobody's address.
    """
    from ..addresses import LOOPBACK, parse_listen

    return parse_listen(text, os.environ.get("FINPROXY_BIND") or LOOPBACK)


def known_technique(name: str | None) -> str | None:
    """Return what --wire was given, if there is such a technique; whether it works here is seen later."""
    from ..wire.choice import names

    if name is not None and name not in names():
        raise UsageError(f"--wire: expected one of {', '.join(names())}, found {name!r}")
    return name
