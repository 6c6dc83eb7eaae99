"""The scenarios on small clients: one that does it right, and for each verdict one that does it wrong."""

from __future__ import annotations

import pytest

from harness.background import Background
from harness.scenarios import ClientSubject, Verdict, run_scenario, scenarios_for
from tests.harness.connections import needs_linux

from .subjects import (
    BELIEVES_ALL,
    GIVES_UP,
    GIVES_UP_IN_SILENCE,
    HALF_CLOSES,
    HALF_CLOSES_AND_BELIEVES_ALL,
    IS_IMPATIENT,
    IS_PATIENT,
    KEEPS_DEAD_CONNECTIONS,
    REPEATS_POSTS,
    RETRIES,
    client,
    try_client,
)

pytestmark = needs_linux


GOOD = {"half-close-as-abort": HALF_CLOSES, "blackhole-after-idle": IS_IMPATIENT}
"""Right for scenarios where it takes more than to try again."""


@pytest.mark.parametrize("name", [scenario.name for scenario in scenarios_for("client")])
def test_a_good_client_passes(name: str, background: Background) -> None:
    outcome = try_client(name, background, GOOD.get(name, RETRIES))
    assert outcome.verdict is Verdict.PASS, outcome.told()


@pytest.mark.parametrize(
    "name", ["fin-crosses-request", "fin-delayed-idle", "reset-on-next-packet", "request-delivered-then-fin"]
)
def test_a_client_that_gives_up_in_silence_fails(name: str, background: Background) -> None:
    outcome = try_client(name, background, GIVES_UP_IN_SILENCE)
    assert outcome.verdict is Verdict.FAIL
    assert "it has 1 of 2 answers and reported no error" in outcome.reason


@pytest.mark.parametrize("name", ["fin-delayed-idle", "reset-on-next-packet", "request-delivered-then-fin"])
def test_a_client_that_gives_up_aloud_passes(name: str, background: Background) -> None:
    outcome = try_client(name, background, GIVES_UP)
    assert outcome.verdict is Verdict.PASS
    assert "it reported an error" in outcome.reason


def test_a_client_that_repeats_a_post_that_was_delivered_fails(background: Background) -> None:
    outcome = try_client("request-delivered-then-fin", background, REPEATS_POSTS)
    assert outcome.verdict is Verdict.FAIL
    assert "it sent a POST again that had been delivered" in outcome.reason
    crossed = try_client("fin-crosses-request", background, REPEATS_POSTS)
    assert crossed.verdict is Verdict.NOT_APPLICABLE


def test_a_client_without_a_timeout_hangs_in_a_black_hole(background: Background) -> None:
    subject = ClientSubject(client(IS_PATIENT).command, patience=2.0)
    outcome = run_scenario("blackhole-after-idle", subject, background)
    assert outcome.verdict is Verdict.FAIL
    assert "it did not come back" in outcome.reason


def test_a_client_that_keeps_dead_connections_is_over_its_budget(background: Background) -> None:
    outcome = try_client("close-wait-budget", background, KEEPS_DEAD_CONNECTIONS, cycles=4)
    assert outcome.close.verdict is Verdict.FAIL
    assert "it had at most 3 of its sockets in CLOSE-WAIT; 1 is its budget" in outcome.reason


def test_a_client_that_takes_a_lost_answer_for_an_empty_one_fails(background: Background) -> None:
    outcome = try_client("half-close-as-abort", background, HALF_CLOSES_AND_BELIEVES_ALL)
    assert outcome.verdict is Verdict.FAIL
    assert "it took the lost answer for an empty one" in outcome.reason


def test_a_client_that_does_not_half_close_is_not_tried_for_it(background: Background) -> None:
    outcome = try_client("half-close-as-abort", background, RETRIES, wait=0.3)
    assert outcome.verdict is Verdict.NOT_APPLICABLE


def test_a_client_that_gives_up_where_the_fin_crosses_misses_what_it_should_do(
    background: Background,
) -> None:
    outcome = try_client("fin-crosses-request", background, GIVES_UP)
    assert outcome.verdict is Verdict.NON_STRICT
    assert "it reported an error: it exited with code 1" in outcome.reason


@pytest.mark.parametrize("name", ["fin-mid-body", "rst-mid-response", "rst-close-delimited", "sigkill-peer"])
def test_a_client_that_believes_all_fails(name: str, background: Background) -> None:
    outcome = try_client(name, background, BELIEVES_ALL)
    assert outcome.verdict is Verdict.FAIL
    assert "it reported success without the whole body" in outcome.reason


def test_a_client_that_loses_the_body_in_silence_fails(background: Background) -> None:
    outcome = try_client("rst-after-full-response", background, BELIEVES_ALL)
    assert outcome.verdict is Verdict.FAIL


def test_a_client_that_asks_once_is_not_tried_for_reuse(background: Background) -> None:
    outcome = run_scenario("fin-right-after-response", client(RETRIES, "{url}"), background)
    assert outcome.verdict is Verdict.NOT_APPLICABLE
    assert "asks only once" in outcome.reason


def test_a_client_that_hangs_fails_within_its_patience(background: Background) -> None:
    hangs = "import sys, threading; print(sys.argv[1]); threading.Event().wait()"
    subject = ClientSubject(("python3", "-c", hangs, "{url}"), patience=0.5)
    outcome = run_scenario("fin-mid-body", subject, background)
    assert outcome.verdict is Verdict.FAIL
    assert "it did not come back" in outcome.reason
    assert "http://127.0.0.1:" in outcome.evidence.output


def test_a_client_that_is_not_there_is_an_outcome(background: Background) -> None:
    outcome = run_scenario("fin-mid-body", ClientSubject(("no-such-program", "{url}")), background)
    assert outcome.verdict is Verdict.FAIL
    assert "found none called 'no-such-program'" in outcome.reason
