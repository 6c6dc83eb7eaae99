"""The scenarios on small relays: one that does it right, and for each verdict one that does it wrong."""

from __future__ import annotations

import pytest

from harness.background import Background
from harness.errors import UsageError
from harness.scenarios import RelaySubject, Verdict, scenarios_for
from tests.harness.connections import needs_linux

from .subjects import (
    CLOSES_BOTH,
    DIES_OF_AN_ERROR,
    GOOD_RELAY,
    LEAKS_LEGS,
    LOOKS_FOR_ERRORS_FIRST,
    MAKES_FIN_OF_RESETS,
    MAKES_RESETS_OF_FIN,
    SWALLOWS_FIN,
    try_relay,
)

pytestmark = needs_linux


@pytest.mark.parametrize("name", [scenario.name for scenario in scenarios_for("relay")])
def test_a_good_relay_passes(name: str, background: Background) -> None:
    outcome = try_relay(name, background, GOOD_RELAY)
    assert outcome.verdict is Verdict.PASS, outcome.told()


@pytest.mark.parametrize("delay", [0.0, 0.3, 1.0])
def test_a_relay_that_closes_both_ways_on_the_first_eof_loses_the_answer(
    delay: float, background: Background
) -> None:
    outcome = try_relay("half-close-request", background, CLOSES_BOTH, answer_delay=delay)
    assert outcome.behaviour.verdict is Verdict.FAIL
    assert "0 of 20000 bytes of the answer came" in outcome.reason


def test_a_relay_that_swallows_the_fin_fails(background: Background) -> None:
    outcome = try_relay("clean-client-close", background, SWALLOWS_FIN, patience=0.5)
    assert outcome.close.verdict is Verdict.FAIL
    assert "the client sent FIN, and the server read nothing" in outcome.reason


def test_a_relay_that_makes_a_fin_of_a_reset_fails_where_only_the_end_tells(background: Background) -> None:
    with_length = try_relay("rst-mid-response", background, MAKES_FIN_OF_RESETS)
    without = try_relay("rst-close-delimited", background, MAKES_FIN_OF_RESETS)
    assert (with_length.verdict, without.verdict) == (Verdict.NON_STRICT, Verdict.FAIL)
    assert "RST came out as FIN" in without.reason


def test_a_relay_that_closes_both_ways_loses_what_is_under_way(background: Background) -> None:
    outcome = try_relay("half-close-response", background, CLOSES_BOTH)
    assert outcome.verdict is Verdict.FAIL
    assert "of 14000 bytes came that the client sent after the server's FIN" in outcome.told()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fin-mid-body", "FIN came out as RST"),
        ("clean-client-close", "the client sent FIN, and the server read RST"),
        ("stuck-fin-wait1", "of 262144 bytes came, then RST"),
    ],
)
def test_a_relay_that_makes_a_reset_of_a_fin_fails(name: str, told: str, background: Background) -> None:
    outcome = try_relay(name, background, MAKES_RESETS_OF_FIN)
    assert outcome.verdict is Verdict.FAIL
    assert told in outcome.told()


@pytest.mark.parametrize("name", ["rst-after-full-response", "early-response-unread-body"])
def test_a_relay_that_looks_for_errors_first_loses_the_body(name: str, background: Background) -> None:
    outcome = try_relay(name, background, LOOKS_FOR_ERRORS_FIRST)
    assert outcome.behaviour.verdict is Verdict.NON_STRICT, outcome.told()
    assert "0 of 20000 bytes of the body came, then RST" in outcome.reason


def test_a_relay_that_leaks_its_legs_is_over_its_budget(background: Background) -> None:
    outcome = try_relay("close-wait-budget", background, LEAKS_LEGS, patience=0.5, cycles=3)
    assert outcome.close.verdict is Verdict.FAIL
    assert "6 of 6 legs are left in CLOSE-WAIT" in outcome.reason


def test_a_relay_that_dies_of_an_error_is_said_to_have_died(background: Background) -> None:
    outcome = try_relay("rst-mid-response", background, DIES_OF_AN_ERROR)
    assert "it has exited with code 1, unasked" in outcome.reason


def test_a_relay_that_connects_to_nobody_is_an_outcome(background: Background) -> None:
    outcome = try_relay("clean-client-close", background, {**GOOD_RELAY, "at_fin": "1 +"}, patience=0.5)
    assert outcome.verdict is Verdict.FAIL
    assert "it did not start" in outcome.reason
    assert "SyntaxError" in outcome.told()


def test_a_relay_needs_both_ports_in_its_command() -> None:
    with pytest.raises(UsageError, match=r"expected \{upstream\} in the relay's command"):
        RelaySubject.of("socat", "TCP-LISTEN:{port}", "TCP:127.0.0.1:80")
