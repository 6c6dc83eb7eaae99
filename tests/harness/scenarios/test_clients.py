"""The scenarios on small clients: one that does it right, and for each verdict one that does it wrong."""

from __future__ import annotations

import pytest

from harness.background import Background
from harness.scenarios import ClientSubject, Verdict, run_scenario, scenarios_for
from tests.harness.connections import needs_linux

from .subjects import BELIEVES_ALL, GIVES_UP, RETRIES, client, try_client

pytestmark = needs_linux


@pytest.mark.parametrize("name", [scenario.name for scenario in scenarios_for("client")])
def test_a_client_that_retries_passes(name: str, background: Background) -> None:
    outcome = try_client(name, background, RETRIES)
    assert outcome.verdict is Verdict.PASS, outcome.told()


def test_a_client_that_gives_up_where_the_fin_crosses_misses_what_it_should_do(
    background: Background,
) -> None:
    outcome = try_client("fin-crosses-request", background, GIVES_UP)
    assert outcome.verdict is Verdict.NON_STRICT
    assert "it reported an error instead of repeating the request" in outcome.reason


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
