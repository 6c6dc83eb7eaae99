from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from harness.audit.export import as_dict, as_json, as_junit, schema
from harness.audit.results import Audit
from harness.scenarios import Verdict

from . import made


@pytest.fixture
def audit() -> Audit:
    cells = [made.cell(name) for name in ("good", "bad", "lax", "moot")]
    verdicts = [Verdict.PASS, Verdict.FAIL, Verdict.NON_STRICT, Verdict.NOT_APPLICABLE]
    results = [
        made.result(cell, made.outcome(verdict, verdict, output=made.HOSTILE))
        for cell, verdict in zip(cells, verdicts, strict=True)
    ]
    columns = [made.column(cell.subject) for cell in cells]
    return made.audit(results, [*columns, made.column("dead", f"it died {made.HOSTILE}")])


def test_the_json_is_as_its_schema_says(audit: Audit) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(json.loads(as_json(audit)), schema())


def test_the_schema_knows_all_that_is_written_and_nothing_else(audit: Audit) -> None:
    report = as_dict(audit)
    report["more"] = 1
    with pytest.raises(jsonschema.ValidationError, match="more"):
        jsonschema.validate(report, schema())


def test_the_json_has_verdicts_reasons_and_evidence(audit: Audit) -> None:
    cell = json.loads(as_json(audit))["cells"]["bad/half-close-request:answer_delay=0"]
    assert (cell["verdict"], cell["behaviour"], cell["close"], cell["unstable"]) == (
        "fail",
        "fail",
        "fail",
        False,
    )
    run = cell["runs"][0]
    assert run["behaviour"] == {"verdict": "fail", "reason": "it did so"}
    assert run["output"] == made.HOSTILE
    assert run["sessions"][0]["records"][1]["event"] == "fin.held"


def test_junit_counts_failures_errors_and_skips(audit: Audit) -> None:
    root = ET.fromstring(as_junit(audit))
    counted = {
        suite.get("name"): [suite.get(key) for key in ("tests", "failures", "errors", "skipped")]
        for suite in root
    }
    assert counted == {
        "good": ["1", "0", "0", "0"],
        "bad": ["1", "1", "0", "0"],
        "lax": ["1", "0", "0", "0"],
        "moot": ["1", "0", "0", "1"],
        "dead": ["1", "0", "1", "0"],
    }
    failure = root.find("testsuite[@name='bad']/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "fail: it did so"
    assert "to repeat: finproxy audit" in (failure.text or "")


def test_strict_makes_failures_of_what_is_not_strict(audit: Audit) -> None:
    root = ET.fromstring(as_junit(audit, strict=True))
    assert root.find("testsuite[@name='lax']/testcase/failure") is not None
