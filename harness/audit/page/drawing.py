"""Fills the page's template.

This module must not know what the page looks like.
"""

import base64
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from harness.audit.matrix import MEANINGS, SIGNS, matrices_of
from harness.audit.results import Audit, Result
from harness.audit.summary import summary_of
from harness.audit.telling import sum_of
from harness.drawing.beside import draw_beside
from harness.scenarios import Outcome
from harness.scenarios.outcome import SessionSeen

_NOT_IN_THE_TIMELINE = {"t", "at", "session", "event", "leg"}


@dataclass(frozen=True, slots=True)
class Run:
    """One run as the page shows it. `count` is how many runs were found like it."""

    outcome: Outcome
    count: int


def draw_page(audit: Audit) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "picture": _picture,
        "slug": lambda verdict: str(verdict).replace(" ", "-"),
        "command": shlex.join,
    }
    numbers = {id(result): f"cell-{number}" for number, result in enumerate(audit.results, 1)}
    return environment.get_template("report.html.j2").render(
        audit=audit,
        matrices=matrices_of(audit),
        signs=SIGNS,
        meanings=MEANINGS,
        counted=Counter(result.verdict for result in audit.results),
        sum=sum_of(audit),
        summary=partial(summary_of, audit),
        scenarios={scenario.name: scenario for scenario in audit.scenarios},
        columns={column.name: column for column in audit.columns},
        anchor=lambda result: numbers[id(result)],
        runs=_runs,
        timeline=_timeline,
        journal=_journal,
        beside=draw_beside,
        css=Markup(_source("report.css")),
        js=Markup(_source("report.js")),
    )


def _source(name: str) -> str:
    return (files("harness.audit.page") / name).read_text(encoding="utf-8")


def _picture(svg: str) -> str:
    """An address that holds the picture: its styles then touch nothing else on the page."""
    return "data:image/svg+xml;base64," + base64.b64encode(re.sub(r"\s+", " ", svg).encode()).decode()


def _runs(result: Result) -> list[Run]:
    """The runs that differ in their verdicts, one of each, the decisive one first."""
    kinds: dict[Any, list[Outcome]] = {}
    for outcome in (result.outcome, *result.outcomes):
        kinds.setdefault((outcome.behaviour.verdict, outcome.close.verdict), []).append(outcome)
    decisive = next(iter(kinds))
    return [Run(group[0], len(group) - (kind == decisive)) for kind, group in kinds.items()]


def _timeline(session: SessionSeen) -> Iterator[tuple[str, str, str, str]]:
    """Time, event, leg and details of each record."""
    for record in session.records:
        details = (
            f"{key} {_value(value)}" for key, value in record.items() if key not in _NOT_IN_THE_TIMELINE
        )
        yield (
            f"{record.get('t', 0):.6f}",
            str(record["event"]),
            str(record.get("leg", "")),
            ", ".join(details),
        )


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _journal(session: SessionSeen) -> str:
    return "\n".join(json.dumps(dict(record), ensure_ascii=False) for record in session.records)
