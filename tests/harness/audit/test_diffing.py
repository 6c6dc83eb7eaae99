from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.audit.diffing import compare, load_report, tell_difference
from harness.audit.export import as_dict, as_json
from harness.errors import UsageError
from harness.scenarios import Verdict

from . import made

PASS, FAIL, INFO, NON_STRICT = Verdict.PASS, Verdict.FAIL, Verdict.INFO, Verdict.NON_STRICT


def report(**verdicts: Verdict) -> Mapping[str, Any]:
    return as_dict(
        made.audit(
            [made.result(made.cell(name), made.outcome(verdict)) for name, verdict in verdicts.items()]
        )
    )


def told(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[int, str]:
    out = io.StringIO()
    code = tell_difference(compare(old, new), Console(file=out, width=100))
    return code, out.getvalue()


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (PASS, PASS, 0),
        (PASS, FAIL, 1),
        (PASS, NON_STRICT, 1),
        (NON_STRICT, FAIL, 1),
        (FAIL, PASS, 0),
        (PASS, INFO, 0),
        (Verdict.NOT_OBSERVED, FAIL, 1),
        (FAIL, Verdict.NOT_OBSERVED, 0),
    ],
)
def test_exit_code_1_if_a_verdict_got_worse(before: Verdict, after: Verdict, code: int) -> None:
    assert told(report(mine=before), report(mine=after))[0] == code


def test_what_changed_appeared_and_vanished_is_named() -> None:
    code, text = told(report(a=PASS, b=FAIL, gone=PASS), report(a=FAIL, b=PASS, new=PASS))
    row = "half-close-request:answer_delay=0"
    assert f"worse     a/{row}  pass → fail\n          it did so" in text
    assert f"changed   b/{row}  fail → pass" in text
    assert f"appeared  new/{row}  pass" in text
    assert f"vanished  gone/{row}  pass" in text
    assert "2 changed, 1 of them worse; 1 appeared, 1 vanished" in text
    assert code == 1


def test_a_failing_cell_that_appears_is_worse() -> None:
    assert told(report(a=PASS), report(a=PASS, b=FAIL))[0] == 1


def test_another_version_of_a_subject_is_said() -> None:
    old, new = report(a=PASS), dict(report(a=PASS))
    new["subjects"] = {"a": {**new["subjects"]["a"], "version": "a 2.0"}}
    assert "a: a 1.0 → a 2.0" in told(old, new)[1]


def test_a_report_is_read_back(tmp_path: Path) -> None:
    audit = made.audit([made.result(made.cell(), made.outcome())])
    path = tmp_path / "a.json"
    path.write_text(as_json(audit), encoding="utf-8")
    assert load_report(path) == json.loads(as_json(audit))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("{}", "found None; audit anew"), ("[]", "found 'list'"), ("{", "not JSON")],
)
def test_what_is_no_report_is_an_error(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=complaint):
        load_report(path)
