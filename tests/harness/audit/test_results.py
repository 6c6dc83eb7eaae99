from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.audit.faults import FAULTS
from harness.audit.matrix import SIGNS, matrices_of
from harness.audit.summary import summary_of
from harness.audit.telling import tell
from harness.scenarios import CATALOGUE, Verdict

from . import made

FAIL, PASS, NON_STRICT = Verdict.FAIL, Verdict.PASS, Verdict.NON_STRICT


def told(audit: object, **options: object) -> str:
    out = io.StringIO()
    tell(audit, Console(file=out, width=120), **options)  # type: ignore[arg-type]
    return out.getvalue()


def test_the_worst_run_decides_and_differing_runs_are_unstable() -> None:
    found = made.result(made.cell(), made.outcome(), made.outcome(close=FAIL, reason="reset"))
    assert (found.verdict, found.behaviour, found.close) == (FAIL, PASS, FAIL)
    assert found.is_unstable
    assert found.outcome.close.reason == "reset"


def test_equal_runs_are_stable() -> None:
    assert not made.result(made.cell(), made.outcome(), made.outcome()).is_unstable


@pytest.mark.parametrize(
    ("verdict", "code", "strict_code"),
    [(PASS, 0, 0), (FAIL, 1, 1), (NON_STRICT, 0, 1), (Verdict.NOT_OBSERVED, 0, 0), (Verdict.INFO, 0, 0)],
)
def test_exit_codes(verdict: Verdict, code: int, strict_code: int) -> None:
    audit = made.audit([made.result(made.cell(), made.outcome(verdict))])
    assert (audit.exit_code(), audit.exit_code(strict=True)) == (code, strict_code)


def test_what_could_not_be_tried_or_was_interrupted_is_no_success() -> None:
    passed = [made.result(made.cell(), made.outcome())]
    assert made.audit(passed, [made.column(), made.column("other", "it did not start")]).exit_code() == 2
    assert made.audit(passed, planned=2).exit_code() == 2


def test_a_matrix_for_each_kind_with_empty_places_where_a_subject_is_not_tried() -> None:
    audit = made.audit(
        [
            made.result(made.cell("one", delay=1.0), made.outcome()),
            made.result(made.cell("two", "time-wait-side"), made.outcome(scenario="time-wait-side")),
        ],
        [made.column("one"), made.column("two"), made.column("three", kind="client")],
    )
    servers, clients = matrices_of(audit)
    assert (servers.kind, clients.kind) == ("server", "client")
    rows = {
        row.label: [found is not None for found in row.results]
        for group in servers.groups
        for row in group.rows
    }
    assert rows == {"half-close-request:answer_delay=1": [True, False], "time-wait-side": [False, True]}


def test_every_verdict_has_a_sign_of_its_own() -> None:
    assert set(SIGNS) == set(Verdict)
    assert len(set(SIGNS.values())) == len(SIGNS)


def test_the_terminal_shows_matrix_failures_and_how_to_repeat_them() -> None:
    failed = made.result(made.cell(delay=0.3), made.outcome(FAIL, reason="no answer [bold]\nmore"))
    text = told(made.audit([failed, made.result(made.cell(), made.outcome())]))
    assert "✘✔" in text
    assert "✘ mine/half-close-request:answer_delay=0.3" in text
    assert "behaviour: no answer [bold]\n" in text
    assert "finproxy audit --config a.toml --only mine/half-close-request:answer_delay=0.3" in text
    assert "2 cells in 12 s: 1 pass, 1 fail" in text


def test_the_terminal_tells_unstable_and_missing_cells_and_why_a_subject_was_not_tried() -> None:
    flaky = made.result(made.cell(), made.outcome(), made.outcome(NON_STRICT))
    text = told(made.audit([flaky], [made.column(problem="it did not start\n  last line")], planned=3))
    assert "unstable: 1 of pass/pass, 1 of non-strict/pass" in text
    assert "mine could not be tried\n  it did not start\n  last line" in text
    assert "1 unstable; 2 not played" in text


def test_with_many_subjects_columns_are_numbered() -> None:
    names = [f"a-long-subject-{number}" for number in range(12)]
    audit = made.audit([made.result(made.cell(name), made.outcome()) for name in names])
    text = told(audit)
    assert "12 a-long-subject-11" in text.replace("\n", " ")


def test_the_summary_says_with_which_values_it_fails_and_with_which_it_does_not() -> None:
    audit = made.audit(
        [
            made.result(made.cell(delay=0.0), made.outcome()),
            made.result(made.cell(delay=0.3), made.outcome(FAIL, reason="no answer")),
            made.result(made.cell(delay=1.0), made.outcome(FAIL, reason="no answer")),
        ]
    )
    worst, total = summary_of(audit, audit.columns[0])
    assert worst == (
        "loses the answer when the client half-closes behind its request "
        "(with answer delay = 0.3 or answer delay = 1, not with answer delay = 0): no answer"
    )
    assert total == "passes 1 of 3 cells that apply"


def test_a_bad_close_is_not_told_as_a_lost_answer() -> None:
    audit = made.audit([made.result(made.cell(), made.outcome(close=FAIL, reason="no FIN"))])
    assert summary_of(audit, audit.columns[0])[0] == (
        "closes badly (The client half-closes behind its request): no FIN"
    )


def test_what_a_failure_means_is_said_of_scenarios_that_there_are() -> None:
    assert {scenario.name for scenario in CATALOGUE} & set(FAULTS)
    assert all(fault[0].islower() for fault in FAULTS.values())
