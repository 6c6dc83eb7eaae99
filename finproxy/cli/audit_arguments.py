"""The arguments of `audit`: the options that its commands share, and what they amount to.

This module must not know which commands there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from ..errors import UsageError
from .app import errors_of_the_harness


class KnownTakesSeveral(TyperGroup):
    """A group in which `--known` takes all names up to the next option; none for all that are installed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Write `--known` in front of each name."""
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
Ready = Annotated[str | None, typer.Option(help="A pattern that it prints when it is ready.")]
Within = Annotated[str | None, typer.Option(help="How long its start may take. Default 30s.")]
Version = Annotated[str | None, typer.Option("--version-command", help="A command that prints its version.")]
Patience = Annotated[
    str | None, typer.Option(help="How long anything may take. Default 7.5s; a client 20s, a relay 5s.")
]
User = Annotated[str | None, typer.Option(help="Whom it runs as, where the audit runs as root.")]
Env = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="For its environment; repeatable.")]


def audit_one(
    kind: str, name: str, command: list[str], told: dict[str, Any], wished: dict[str, Any]
) -> NoReturn:
    """Audit the one subject of a command line; `told` are its recipe's keys, None where not given."""
    with errors_of_the_harness():
        from harness.audit.command import Wishes, run_audit
        from harness.audit.reading import read_recipe

        given = {key: value for key, value in told.items() if value is not None}
        env = given.get("env", [])
        recipe = read_recipe(
            name, {"kind": kind, "command": command, **given, "env": dict(_variable(each) for each in env)}
        )
        chosen_by = {name: [kind, *_options({"name": name, **given})]}
        raise typer.Exit(run_audit([recipe], Wishes(chosen_by=chosen_by, command=tuple(command), **wished)))


def audit_several(
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
    """Audit known programs and those of a file; returns the exit code."""
    from harness.audit.command import Wishes, run_audit
    from harness.audit.configuration import Configuration, load_configuration
    from harness.audit.known import choose

    settings = load_configuration(config) if config else Configuration()
    recipes = list(settings.recipes)
    notes: list[str] = []
    chosen_by = {recipe.name: ["--config", str(config)] for recipe in recipes}
    names = [*(known or ()), *settings.known]
    if names:
        found, notes = choose(() if "all" in names else names)
        recipes += found
        chosen_by |= {recipe.name: ["--known", recipe.name] for recipe in found}
    wished = wishes(
        only or ",".join(settings.only),
        strict or bool(settings.strict),
        repeat or settings.repeat or 1,
        jobs or settings.jobs or 1,
        report,
        junit,
        json,
    )
    return run_audit(recipes, Wishes(chosen_by=chosen_by, **wished), notes)


def wishes(
    only: str | None,
    strict: bool,
    repeat: int,
    jobs: int,
    report: Path | None,
    junit: Path | None,
    json: Path | None,
) -> dict[str, Any]:
    """What is said beside the subjects, as `harness.audit.command.Wishes` takes it."""
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
    ]


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--env: expected NAME=VALUE, found {text!r}")
    return name, value


def _up_to_an_option(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        if word.startswith("-"):
            return
        yield word
