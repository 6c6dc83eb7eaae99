"""The command `finproxy demo`: options in, a walk on real sockets, an exit code out.

The composition of the package. It must not parse arguments, nor know how any of its parts works.
"""

import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
from rich.console import Console

from finproxy import Record
from harness.demo import walks
from harness.demo.reporting import Report, Screen, wait_with_progress
from harness.demo.stage import Stage, open_stage
from harness.demo.walking import walk_down
from harness.drawing.diagram import Diagram, session_diagram
from harness.drawing.svg import draw_svg
from harness.errors import HarnessError, UsageError
from harness.rows import Endpoint
from harness.sources.choice import NAMES
from harness.watching.seen import AsyncSeen
from harness.watching.watch import watch

# What the proxy decided is told by the rows; the drawing shows what went over the wire, and what was kept.
_DRAWN = ("session.opened", "fin.", "reset.")
_NAMES = ("client", "server", "client leg", "server leg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for. `source` and `wire` are names; None chooses the best that works here."""

    as_json: bool = False
    svg: Path | None = None
    upstream: str | None = None
    wait_2msl: bool = False
    row: int | None = None
    mirror: bool = False
    simultaneous: bool = False
    half_close: bool = False
    source: str | None = None
    wire: str | None = None


def run_demo(options: Options, console: Console | None = None) -> int:
    """Walk, show, and return 0 if every row that was waited for was observed, else 1.

    Raises:
        UsageError: options that exclude each other, or a row that the walk does not have.
        HarnessError: a source does not work here, the upstream refused, a file cannot be written.
        FinproxyError: what the proxy refused: an address, a technique.

    """
    walk = _walk(options)
    return trio.run(_Demo(options, walk, console or Console(highlight=False)).run)


def _walk(options: Options) -> walks.Walk:
    chosen = [name for name in ("mirror", "simultaneous", "half_close") if getattr(options, name)]
    if options.simultaneous and len(chosen) > 1:
        raise UsageError(
            "expected --simultaneous alone, found it with --mirror or --half-close: leave one out"
        )
    if options.upstream and chosen:
        raise UsageError(
            f"expected --upstream alone, found --{chosen[0].replace('_', '-')} too: a real server does not "
            "close on demand"
        )
    if options.source not in {None, *NAMES}:
        raise UsageError(f"--source: expected one of {', '.join(NAMES)}, found {options.source!r}")
    if options.simultaneous:
        walk = walks.simultaneous()
    elif options.half_close:
        walk = walks.half_close(mirrored=options.mirror)
    else:
        walk = walks.table_154(mirrored=options.mirror)
    last = walk.steps[-1].number
    if options.row is not None and not 0 <= options.row <= last:
        raise UsageError(f"--row: expected a row from 0 to {last}, found {options.row}")
    return walk


class _Demo:
    """One run."""

    def __init__(self, options: Options, walk: walks.Walk, console: Console) -> None:
        self._options = options
        self._walk = walk
        self._console = console
        self._screen = None if options.as_json else Screen(console)

    async def run(self) -> int:
        options = self._options
        async with open_stage(self._walk, upstream=options.upstream, wire=options.wire) as stage:
            ends = stage.session.client, stage.session.server
            legs = (Endpoint.of(end).peer for end in ends)
            async with watch(*ends, *legs, names=_NAMES, source=options.source) as seen:
                report = await self._walk_down(stage, seen)
                diagram = _diagram(stage, seen)
                self._show(report, diagram)
                if options.row is not None and self._screen and self._somebody_looks():
                    self._screen.hold(options.row)
                    await _enter_or_interrupt()
        return 0 if report.ok else 1

    def _somebody_looks(self) -> bool:
        return self._console.is_terminal and sys.stdin.isatty()

    async def _walk_down(self, stage: Stage, seen: AsyncSeen) -> Report:
        report = Report(
            self._walk.title, stage.technique, stage.why_last_resort, _ends(stage), list(seen.notes)
        )
        if self._screen:
            self._screen.begin(report)
        waiting = wait_with_progress(self._console) if self._options.wait_2msl else None
        steps = walk_down(self._walk, stage, seen, stop_after=self._options.row, waiting=waiting)
        async for outcome in steps:
            report.outcomes.append(outcome)
            if self._screen:
                self._screen.row(outcome)
        if self._options.row is None and report.ok:
            # Nothing is kept out any more: what is left to tell is what the session lost.
            closed = await stage.journal.wait_for(lambda record: record.event == "session.closed", 1)
            report.losses = closed.fields["losses"] if closed else ()
        return report

    def _show(self, report: Report, diagram: Diagram) -> None:
        if self._screen is None:
            self._console.file.write(json.dumps(report.as_dict(), indent=2) + "\n")
        else:
            self._screen.end(report, diagram)
        if self._options.svg:
            _write(self._options.svg, draw_svg(diagram))
            if self._screen:
                self._screen.say(f"drawn in {self._options.svg}")


def _ends(stage: Stage) -> Mapping[str, Mapping[str, Any]]:
    ends = ("client", stage.session.client, stage.client), ("server", stage.session.server, stage.server)
    return {
        name: {"address": str(Endpoint.of(end).local), "pid": actor.pid if actor else None}
        for name, end, actor in ends
    }


def _diagram(stage: Stage, seen: AsyncSeen) -> Diagram:
    client, server, client_leg, server_leg = seen.endpoints
    return session_diagram(
        [record.as_dict() for record in stage.journal.records if _is_drawn(record)],
        client,
        server,
        client_leg=client_leg,
        server_leg=server_leg,
        opened_at=stage.journal.opened_at,
    )


def _is_drawn(record: Record) -> bool:
    return record.event.startswith(_DRAWN)


async def _enter_or_interrupt() -> None:
    with trio.open_signal_receiver(signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:

            async def until_interrupt() -> None:
                await anext(signals)
                nursery.cancel_scope.cancel()

            nursery.start_soon(until_interrupt)
            await trio.lowlevel.wait_readable(sys.stdin)
            nursery.cancel_scope.cancel()


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            f"--svg: expected a file that can be written, found {path}: {error.strerror}"
        ) from error
