"""Whole audits of small subjects in plain sockets, by real worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from harness.audit.crew import Worker, WorkerLostError
from harness.audit.plan import Cell, plan_cells
from harness.audit.recipe import Recipe
from harness.audit.results import Audit, Column, Result
from harness.audit.run import Auditor, Order
from harness.audit.worker import Crashed, Tried, Try
from harness.scenarios import Verdict
from tests.harness.connections import needs_linux

from . import subjects

pytestmark = needs_linux
PASS, FAIL, NOT_OBSERVED = Verdict.PASS, Verdict.FAIL, Verdict.NOT_OBSERVED
HERE = "tests.harness.audit.subjects"


class Heard:
    """A listener that remembers, and may interrupt."""

    def __init__(self, interrupt_after: int = -1) -> None:
        self.results: list[Result | Column] = []
        self._left = interrupt_after

    def began(self, what: str) -> None:
        pass

    def ended(self, result: Result | Column) -> None:
        self.results.append(result)
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


def audited(
    recipes: Sequence[Recipe],
    only: Sequence[str],
    *,
    heard: Heard | None = None,
    repeat: int = 1,
    jobs: int = 2,
) -> Audit:
    order = Order(recipes, plan_cells(recipes, only), repeat, jobs)
    return Auditor(order, heard or Heard()).run()


def behaviours(audit: Audit) -> dict[str, Verdict]:
    return {str(result.cell): result.behaviour for result in audit.results}


def test_servers_that_wait_and_do_not_wait_for_a_half_closed_clients_answer() -> None:
    patient = subjects.server("patient", subjects.PATIENT)
    impatient = subjects.server("impatient", subjects.IMPATIENT)
    audit = audited([patient, impatient], ["half-close-request:answer_delay=0.3"], repeat=2)
    row = "half-close-request:answer_delay=0.3"
    assert behaviours(audit) == {f"patient/{row}": PASS, f"impatient/{row}": FAIL}
    assert [len(result.outcomes) for result in audit.results] == [2, 2]
    assert not any(result.is_unstable for result in audit.results)


def test_relays_that_half_close_and_that_close_both_ways() -> None:
    recipes = [subjects.relay("half", subjects.HALF_CLOSING), subjects.relay("full", subjects.FULL_CLOSING)]
    audit = audited(recipes, ["half-close-request:answer_delay=0.3"])
    row = "half-close-request:answer_delay=0.3"
    assert behaviours(audit) == {f"half/{row}": PASS, f"full/{row}": FAIL}


def test_a_subject_that_does_not_start_says_so_once_and_the_audit_goes_on() -> None:
    broken = subjects.server("broken", "print('no licence'); raise SystemExit(3)")
    patient = subjects.server("patient", subjects.PATIENT)
    audit = audited([broken, patient], ["clean-client-close", "half-close-swallowed"])
    assert {str(found.cell): found.verdict for found in audit.results if found.cell.subject == "broken"} == {
        "broken/clean-client-close": NOT_OBSERVED,
        "broken/half-close-swallowed": NOT_OBSERVED,
    }
    assert "it exited with code 3 before it was ready" in audit.columns[0].problem
    assert "no licence" in audit.columns[0].problem
    assert behaviours(audit)["patient/clean-client-close"] is PASS


def test_a_defect_of_the_audit_itself_costs_its_cells_only() -> None:
    recipe = subjects.server("mine", subjects.PATIENT, protocol=f"{HERE}:crashing", ask=[], slow=[])
    audit = audited([recipe, subjects.server("patient", subjects.PATIENT)], ["clean-client-close"])
    assert [result.verdict for result in audit.results] == [NOT_OBSERVED, PASS]
    assert "a defect of the audit" in audit.columns[0].problem


def test_an_interrupted_audit_keeps_what_it_has_found() -> None:
    recipe = subjects.server("patient", subjects.PATIENT)
    audit = audited([recipe], ["half-close-request"], heard=Heard(interrupt_after=2), jobs=1)
    assert len(audit.results) == 1
    assert not audit.is_complete
    assert audit.notes == ["interrupted: cells without a verdict were not played"]
    assert audit.exit_code() == 2


def test_knobs_and_version_are_recorded() -> None:
    recipe = subjects.server(
        "mine", subjects.PATIENT, version=["{python}", "-c", "print('hello'); print('v 1.5')"]
    )
    audit = audited([recipe], ["clean-client-close"])
    assert audit.columns[0].version == "v 1.5"
    assert any(knob.name == "net.ipv4.tcp_fin_timeout" and knob.value for knob in audit.knobs)


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


@pytest.mark.parametrize(
    ("protocol", "within", "said"),
    [
        ("dying", 60.0, "its worker died with code 7"),
        ("hanging", 1.0, "it did not come to an end within 1 s"),
    ],
)
def test_a_worker_that_dies_or_hangs_is_replaced_and_its_subject_ended(
    worker: Worker, tmp_path: Path, protocol: str, within: float, said: str
) -> None:
    good = subjects.server("good", subjects.PATIENT)
    bad = subjects.server("bad", subjects.PATIENT, protocol=f"{HERE}:{protocol}", ask=[], slow=[])
    try:
        assert isinstance(worker.ask(Try(good), 60), Tried)
        with pytest.raises(WorkerLostError, match=said):
            worker.ask(Try(bad), within)
        assert isinstance(worker.ask(Try(good), 60), Tried | Crashed)
    finally:
        worker.stop()
    assert not [process for process in psutil.process_iter() if _works_in(process, tmp_path)]


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(folder)
    except (psutil.Error, OSError):
        return False  # it has ended, or is somebody else's


def test_a_stopped_worker_says_that_it_was_interrupted(worker: Worker) -> None:
    worker.stop()
    with pytest.raises(WorkerLostError, match="interrupted"):
        worker.ask(Try(subjects.server("good", subjects.PATIENT)), 60)


def test_cells_are_compared_by_value() -> None:
    assert Cell("a", "b") == Cell("a", "b")


def test_a_subject_that_prints_megabytes_is_judged_and_its_last_lines_kept() -> None:
    loud = subjects.server("loud", "print('x' * 5_000_000, 'the end', flush=True)\n" + subjects.PATIENT)
    audit = audited([loud], ["clean-client-close"])
    (result,) = audit.results
    assert result.verdict is PASS
    assert len(result.outcome.evidence.output) < 200_000
    assert result.outcome.evidence.output.endswith("the end")


def test_a_subject_that_hangs_in_mid_scenario_is_judged_within_its_patience() -> None:
    deaf = subjects.server("deaf", subjects.DEAF_AFTER_ONE, patience="1s")
    audit = audited([deaf], ["clean-client-close"])
    (result,) = audit.results
    assert result.verdict is FAIL
    assert result.outcome.seconds < 20
