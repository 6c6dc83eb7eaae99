"""Audits made by hand, for what is shown of them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.audit.plan import Cell
from harness.audit.reading import read_recipe
from harness.audit.results import Audit, Column, Result
from harness.knobs import Knob
from harness.scenarios import EndSeen, Evidence, Judgement, Outcome, SessionSeen, Verdict, find_scenario

HOSTILE = "</pre><script>alert(1)</script> \x00\x1b[31m & \"quoted\" 'text'"
"""What a program might print."""


def outcome(
    behaviour: Verdict = Verdict.PASS,
    close: Verdict = Verdict.PASS,
    *,
    scenario: str = "half-close-request",
    reason: str = "it did so",
    output: str = "",
) -> Outcome:
    session = SessionSeen(
        "session 1",
        ("client.fin -> hold",),
        ({"t": 0.0, "event": "session.opened"}, {"t": 0.5, "event": "fin.held", "leg": "client", "limit": 2}),
        (EndSeen("client", "ESTABLISHED > FIN-WAIT-1", ("ESTABLISHED", "CLOSED"), "FIN-WAIT-1 is missing"),),
        "a ladder",
        "<svg xmlns='http://www.w3.org/2000/svg'><text>100%</text></svg>",
    )
    return Outcome(
        scenario=scenario,
        subject="server",
        parameters={},
        behaviour=Judgement(behaviour, reason),
        close=Judgement(close, reason),
        evidence=Evidence(("a fact",), (session,), output),
        seconds=1.25,
    )


def cell(subject: str = "mine", scenario: str = "half-close-request", delay: float = 0.0) -> Cell:
    values = (("answer_delay", delay),) if scenario == "half-close-request" else ()
    return Cell(subject, scenario, values)


def result(where: Cell, *outcomes: Outcome) -> Result:
    return Result(where, outcomes, f"finproxy audit --config a.toml --only {where}")


def column(name: str = "mine", problem: str = "", kind: str = "server") -> Column:
    places = {"server": "{port}", "client": "{url}", "relay": "{port} {upstream}"}
    recipe = read_recipe(name, {"kind": kind, "command": f"program {places[kind]}"})
    return Column(recipe, f"{name} 1.0", problem)


def audit(
    results: Sequence[Result], columns: Sequence[Column] | None = None, *, planned: int | None = None
) -> Audit:
    names = list(dict.fromkeys(each.cell.subject for each in results))
    return Audit(
        columns=columns if columns is not None else [column(name) for name in names],
        scenarios=[find_scenario(name) for name in dict.fromkeys(each.cell.scenario for each in results)],
        results=results,
        began="2026-11-24T04:00:00+00:00",
        seconds=12.5,
        machine={"system": "Linux", "python": "CPython", "finproxy": "0", "processors": "2", "user": "root"},
        knobs=[Knob("net.ipv4.tcp_fin_timeout", "seconds", "60"), Knob("net.nothing", "nothing", None)],
        planned=len(results) if planned is None else planned,
    )
