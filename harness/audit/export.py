"""An audit as JSON (report.schema.json describes it) and as JUnit's XML, for programs that read on.

This module must not know pages or terminals.
"""

import json
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree as ET

from harness.audit.results import Audit, Column, Result
from harness.audit.summary import summary_of
from harness.scenarios import Outcome, Scenario
from harness.scenarios.verdicts import Verdict

FORMAT = "finproxy-audit/1"
"""What the JSON says that it is; another shape will get another number."""


def schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    text = (files("harness.audit") / "report.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def as_json(audit: Audit) -> str:
    """The report as JSON: all but the pictures, which can be drawn from it."""
    return json.dumps(as_dict(audit), indent=1, ensure_ascii=False) + "\n"


def as_dict(audit: Audit) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "format": FORMAT,
        "began": audit.began,
        "seconds": round(audit.seconds, 3),
        "complete": audit.is_complete,
        "notes": list(audit.notes),
        "machine": audit.machine,
        "knobs": {knob.name: knob.value for knob in audit.knobs},
        "scenarios": {scenario.name: _scenario(scenario) for scenario in audit.scenarios},
        "subjects": {column.name: _subject(audit, column) for column in audit.columns},
        "cells": {str(result.cell): _cell(result) for result in audit.results},
    }


def as_junit(audit: Audit, *, strict: bool = False) -> str:
    """The report as JUnit's XML: a suite for each subject, a case for each cell."""
    root = ET.Element("testsuites", name="finproxy audit", time=f"{audit.seconds:.3f}")
    for column in audit.columns:
        suite = ET.SubElement(root, "testsuite", name=column.name, timestamp=audit.began)
        cases = [_case(suite, result, strict=strict) for result in audit.of(column)]
        if column.problem:
            cases.append("error")
            case = ET.SubElement(suite, "testcase", classname=column.name, name="(start)")
            ET.SubElement(case, "error", message=_line(column.problem)).text = _legal(column.problem)
        suite.set("tests", str(len(cases)))
        for key, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(key, str(cases.count(kind)))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _scenario(scenario: Scenario) -> dict[str, Any]:
    return {
        "title": scenario.title,
        "does": scenario.does,
        "rules": list(scenario.rules),
        "client_end": scenario.client_end,
        "server_end": scenario.server_end,
        "explanation": scenario.explanation,
        "rests_on": scenario.rests_on,
        "incidents": list(scenario.incidents),
        "bound": scenario.bound,
    }


def _subject(audit: Audit, column: Column) -> dict[str, Any]:
    recipe = column.recipe
    return {
        "kind": recipe.kind,
        "command": list(recipe.command),
        "version": column.version,
        "protocol": recipe.protocol,
        "signal": recipe.signal,
        "grace": recipe.grace,
        "patience": recipe.patience,
        "env": dict(recipe.env),
        "files": dict(recipe.files),
        "problem": column.problem,
        "summary": summary_of(audit, column),
    }


def _cell(result: Result) -> dict[str, Any]:
    return {
        "subject": result.cell.subject,
        "scenario": result.cell.scenario,
        "parameters": dict(result.cell.parameters),
        "verdict": str(result.verdict),
        "behaviour": str(result.behaviour),
        "close": str(result.close),
        "unstable": result.is_unstable,
        "repeat": result.repeat,
        "runs": [_run(outcome) for outcome in result.outcomes],
    }


def _run(outcome: Outcome) -> dict[str, Any]:
    evidence = outcome.evidence
    return {
        "verdict": str(outcome.verdict),
        "behaviour": _judged(outcome.behaviour),
        "close": _judged(outcome.close),
        "seconds": round(outcome.seconds, 3),
        "facts": list(evidence.facts),
        "output": evidence.output,
        "sessions": [
            {
                "title": session.title,
                "rules": list(session.rules),
                "records": [dict(record) for record in session.records],
                "ends": [
                    {"name": end.name, "expected": end.expected, "observed": list(end.observed)}
                    for end in session.ends
                ],
                "ladder": session.text,
            }
            for session in evidence.sessions
        ],
    }


def _judged(judgement: Any) -> dict[str, str]:
    return {"verdict": str(judgement.verdict), "reason": judgement.reason}


def _case(suite: ET.Element, result: Result, *, strict: bool) -> str:
    """Add a case; which kind of trouble it is, "" for none."""
    outcome = result.outcome
    seconds = sum(each.seconds for each in result.outcomes)
    case = ET.SubElement(
        suite, "testcase", classname=result.cell.subject, name=result.cell.row, time=f"{seconds:.3f}"
    )
    kinds = {Verdict.FAIL: "failure", Verdict.NOT_APPLICABLE: "skipped", Verdict.NOT_OBSERVED: "skipped"}
    if strict:
        kinds[Verdict.NON_STRICT] = "failure"
    kind = kinds.get(result.verdict, "")
    if kind:
        element = ET.SubElement(case, kind, message=_line(f"{result.verdict}: {outcome.reason}"))
        element.text = _legal(f"{outcome.told()}\n\nto repeat: {result.repeat}")
    elif outcome.reason:
        ET.SubElement(case, "system-out").text = _legal(outcome.told())
    return kind


def _line(text: str) -> str:
    return _legal(text.partition("\n")[0])


def _legal(text: str) -> str:
    """Without the characters that XML 1.0 forbids: a program may print anything."""
    return "".join(char if char in "\t\n" or char >= " " else "\N{REPLACEMENT CHARACTER}" for char in text)
