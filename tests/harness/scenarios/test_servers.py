"""The scenarios on small servers: one that does it right, and for each verdict one that does it wrong."""

from __future__ import annotations

import re
import sys

import pytest

from harness.background import Background
from harness.ports import ReservedPort
from harness.program import Program
from harness.scenarios import ScenarioFailedError, ServerSubject, Verdict, run_scenario, scenarios_for
from harness.verdict import CloseKind
from tests.harness.connections import needs_linux

from .subjects import (
    ABORTS_A_LATE_ANSWER,
    ABORTS_ON_FIN,
    ASK,
    BYE,
    CLOSES_BY_A_TIMER,
    CLOSES_WITH_BYTES_UNREAD,
    DIES_OF_A_REQUEST,
    ENDS_AT_ONCE,
    GOOD,
    KEEPS_ITS_FD,
    LEAKS,
    LETS_THE_CLIENT_CLOSE,
    LINGERS,
    NEEDS_THE_PORT_FOR_ITSELF,
    NEVER_ENDS,
    READS_ALL_FIRST,
    REFUSES_WITH_HALF_AN_ANSWER,
    RESETS,
    RESETS_LATE_REQUESTS,
    server,
    slow,
    try_server,
    try_upload,
)

pytestmark = needs_linux


# Who closes a listener resets its backlog, and whether it was empty then is chance with this server: see
# tests/harness/contract. Uploads are a matter of HTTP, and have servers of their own below.
ELSEWHERE = {"backlog-at-sigterm", "early-response-unread-body"}


@pytest.mark.parametrize("name", [s.name for s in scenarios_for("server") if s.name not in ELSEWHERE])
def test_a_good_server_passes(name: str, background: Background) -> None:
    outcome = try_server(name, background, GOOD)
    assert outcome.verdict is Verdict.PASS, outcome.told()


@pytest.mark.parametrize("delay", [0.3, 1.0])
def test_a_good_server_answers_late_though_the_client_has_half_closed(
    delay: float, background: Background
) -> None:
    outcome = try_server("half-close-request", background, GOOD, answer_delay=delay)
    assert outcome.verdict is Verdict.PASS, outcome.told()
    assert outcome.parameters == {"answer_delay": delay}
    assert outcome.seconds >= delay


def test_a_server_that_drops_who_half_closes_fails(background: Background) -> None:
    outcome = try_server("half-close-request", background, ABORTS_ON_FIN)
    assert outcome.behaviour.verdict is Verdict.FAIL
    assert "no complete answer" in outcome.reason
    with pytest.raises(ScenarioFailedError, match="half-close-request: no complete answer"):
        outcome.require()


def test_a_server_that_drops_late_answers_fails_only_where_the_answer_is_late(background: Background) -> None:
    at_once = try_server("half-close-request", background, ABORTS_A_LATE_ANSWER)
    late = try_server("half-close-request", background, ABORTS_A_LATE_ANSWER, answer_delay=0.3)
    assert (at_once.verdict, late.verdict) == (Verdict.PASS, Verdict.FAIL)


def test_a_server_that_keeps_its_fd_fails(background: Background) -> None:
    outcome = try_server("fin-never-comes", background, KEEPS_ITS_FD, patience=0.5)
    assert outcome.close.verdict is Verdict.FAIL
    assert "still holds it in FIN-WAIT-2" in outcome.reason
    after_fin = try_server("data-after-fin", background, KEEPS_ITS_FD, patience=0.5)
    assert after_fin.verdict is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("name", ["clean-client-close", "half-close-request", "half-close-swallowed"])
def test_a_server_that_leaks_close_wait_fails(name: str, background: Background) -> None:
    outcome = try_server(name, background, LEAKS, patience=0.5)
    assert outcome.behaviour.verdict is Verdict.PASS
    assert outcome.close.verdict is Verdict.FAIL
    assert "its end is in CLOSE-WAIT" in outcome.reason


def test_a_server_that_closes_by_a_timer_is_late(background: Background) -> None:
    outcome = try_server("clean-client-close", background, CLOSES_BY_A_TIMER)
    assert outcome.close.verdict is Verdict.NON_STRICT
    assert re.search(r"it sent its FIN, but only after 2\.\d s", outcome.reason)
    assert outcome.evidence.closed
    assert (outcome.evidence.closed.kind, outcome.evidence.closed.by) == (CloseKind.LATE_FIN, "server")


@pytest.mark.parametrize(
    "name", ["half-close-request", "half-close-swallowed", "close-wait-budget", "lost-fin", "lost-last-ack"]
)
def test_a_server_that_closes_by_a_timer_is_late_in_every_scenario(name: str, background: Background) -> None:
    few = {"cycles": 1} if name == "close-wait-budget" else {}
    outcome = try_server(name, background, CLOSES_BY_A_TIMER, **few)
    assert outcome.close.verdict is Verdict.NON_STRICT, outcome.told()
    assert re.search(r", but only after 2\.\d s", outcome.reason)


def test_a_server_that_leaks_is_over_its_budget(background: Background) -> None:
    outcome = try_server("close-wait-budget", background, LEAKS, patience=0.5, cycles=3)
    assert outcome.close.verdict is Verdict.FAIL
    assert "3 of 3 connections are left in CLOSE-WAIT" in outcome.reason


@pytest.mark.parametrize(
    "name",
    [
        "clean-client-close",
        "clean-server-close",
        "half-close-request",
        "half-close-response",
        "fin-delayed-idle",
        "simultaneous-close",
        "stuck-fin-wait1",
        "stuck-last-ack",
        "lost-last-ack",
    ],
)
def test_a_server_that_resets_fails(name: str, background: Background) -> None:
    outcome = try_server(name, background, RESETS)
    assert outcome.close.verdict is Verdict.FAIL
    assert "it reset the connection" in outcome.reason
    assert outcome.evidence.closed
    assert outcome.evidence.closed.by == "server"


def test_a_server_that_ends_at_once_fails_who_is_being_answered(background: Background) -> None:
    outcome = try_server("inflight-at-sigterm", background, ENDS_AT_ONCE)
    assert outcome.behaviour.verdict is Verdict.FAIL
    assert "no complete answer" in outcome.reason


def test_a_server_that_resets_requests_after_the_signal_fails(background: Background) -> None:
    outcome = try_server("request-after-sigterm", background, RESETS_LATE_REQUESTS)
    assert outcome.verdict is Verdict.FAIL
    assert "no complete answer" in outcome.reason
    assert "it reset the connection" in outcome.reason


def test_a_server_that_lets_the_client_close_first_leaves_it_time_wait(background: Background) -> None:
    outcome = try_server("time-wait-side", background, LETS_THE_CLIENT_CLOSE, patience=0.3, cycles=2)
    assert outcome.close.verdict is Verdict.FAIL
    assert "of 2 connections 0 are in TIME-WAIT at the server, 2 at the client" in outcome.reason


def test_a_server_that_needs_the_port_for_itself_cannot_be_started_again(background: Background) -> None:
    outcome = try_server("stuck-last-ack", background, NEEDS_THE_PORT_FOR_ITSELF)
    assert outcome.behaviour.verdict is Verdict.FAIL
    assert "it could not be started again while a connection was in LAST-ACK" in outcome.reason


@pytest.mark.parametrize(
    "name", ["idle-peer-at-sigterm", "unused-connection-at-sigterm", "stuck-fin-wait1", "stuck-last-ack"]
)
def test_a_server_that_never_ends_fails(name: str, background: Background) -> None:
    outcome = try_server(name, background, NEVER_ENDS, patience=0.5)
    assert outcome.behaviour.verdict is Verdict.FAIL
    assert "it was still running 0.5 s after the signal" in outcome.reason


def test_a_server_that_dies_is_said_to_have_died(background: Background) -> None:
    outcome = try_server("clean-client-close", background, DIES_OF_A_REQUEST)
    assert outcome.behaviour.verdict is Verdict.FAIL
    assert "it has exited with code 3, unasked" in outcome.reason


def test_a_server_that_does_not_start_is_an_outcome(background: Background) -> None:
    command = (sys.executable, "-c", "raise SystemExit('no config')", "{port}")
    outcome = run_scenario("clean-client-close", ServerSubject(lambda: Program(*command)), background)
    assert outcome.verdict is Verdict.FAIL
    assert "it did not start: it exited with code 1 before it was ready" in outcome.reason
    assert "no config" in outcome.told()


def test_a_server_without_a_way_to_close_is_not_tried_for_it(background: Background) -> None:
    with Program(*server(GOOD)) as program:
        outcome = run_scenario("time-wait-side", ServerSubject(program, ASK), background)
    assert outcome.verdict is Verdict.NOT_APPLICABLE
    assert "give closing=" in outcome.reason


@pytest.mark.parametrize("name", ["idle-peer-at-sigterm", "request-after-sigterm"])
def test_a_server_with_a_fixed_port_is_not_started_twice(name: str, background: Background) -> None:
    reserved = ReservedPort()
    command = [part.replace("{port}", str(reserved.number)) for part in server(GOOD)]
    with Program(*command, port=reserved.number) as program:
        outcome = run_scenario(name, ServerSubject(program, ASK, BYE, slow), background)
    reserved.close()
    assert outcome.verdict is Verdict.NOT_APPLICABLE
    assert "fixed port" in outcome.reason


def test_a_server_that_goes_on_reading_after_its_early_answer_passes(background: Background) -> None:
    outcome = try_upload(LINGERS, background)
    assert outcome.verdict is Verdict.PASS, outcome.told()


def test_a_server_that_closes_with_bytes_unread_endangers_its_answer(background: Background) -> None:
    outcome = try_upload(CLOSES_WITH_BYTES_UNREAD, background)
    assert outcome.close.verdict is Verdict.NON_STRICT, outcome.told()
    assert "it reset the connection" in outcome.close.reason


def test_a_server_that_refuses_with_half_an_answer_fails(background: Background) -> None:
    outcome = try_upload(REFUSES_WITH_HALF_AN_ANSWER, background)
    assert outcome.behaviour.verdict is Verdict.FAIL


def test_a_server_that_reads_all_first_gives_no_early_answer(background: Background) -> None:
    outcome = try_upload(READS_ALL_FIRST, background)
    assert outcome.verdict is Verdict.NOT_APPLICABLE
    assert "it reads the whole body before it answers" in outcome.reason
