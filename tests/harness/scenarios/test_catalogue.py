"""The catalogue as data, its listing, and outcomes as values."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from finproxy import parse_rule
from harness.background import Background
from harness.errors import UsageError
from harness.scenarios import (
    CATALOGUE,
    KINDS,
    ClientSubject,
    Judgement,
    Scenario,
    Verdict,
    explain_scenario,
    find_scenario,
    list_scenarios,
    run_scenario,
    scenarios_for,
    worst,
)
from harness.scenarios.plays.registry import PLAYS
from tests.harness.connections import needs_linux

from .subjects import RETRIES, try_client


@pytest.mark.parametrize("kind", KINDS)
def test_each_scenario_can_be_played_with_each_of_its_subjects(kind: str) -> None:
    assert set(PLAYS[kind]) == {scenario.name for scenario in scenarios_for(kind)}


def test_names_are_unique() -> None:
    assert len({scenario.name for scenario in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("scenario", CATALOGUE, ids=lambda scenario: scenario.name)
def test_a_scenario_says_why_and_by_what_right(scenario: Scenario) -> None:
    assert len(scenario.explanation.split()) >= 15
    assert "RFC" in scenario.rests_on or "ip-sysctl" in scenario.rests_on
    assert set(scenario.subjects) <= set(KINDS)
    filled = {parameter.name: parameter.default for parameter in scenario.parameters}
    for rule in scenario.rules:
        parse_rule(rule.format(half=1, first=1, **filled))


def test_the_catalogue_is_listed() -> None:
    out = io.StringIO()
    assert list_scenarios(subject="client", console=Console(file=out, width=240)) == 0
    listed = out.getvalue()
    assert all(scenario.name in listed for scenario in scenarios_for("client"))
    assert "half-close-request" not in listed
    with pytest.raises(UsageError, match=r"expected a subject \(server, client, relay\), found 'proxy'"):
        list_scenarios(subject="proxy")


def test_a_scenario_is_explained() -> None:
    out = io.StringIO()
    assert explain_scenario("half-close-request", console=Console(file=out, width=240)) == 0
    told = out.getvalue()
    scenario = find_scenario("half-close-request")
    assert scenario.explanation in " ".join(told.split())
    assert scenario.rests_on in told
    assert "moby/moby#27539" in told
    assert "parameter answer_delay = 0" in told
    assert "worth trying: 0, 0.3, 1" in told


def test_an_unknown_scenario_is_refused_with_the_names_of_all(background: Background) -> None:
    with pytest.raises(UsageError, match=r"expected a scenario \(clean-client-close, .*found 'nonsense'"):
        run_scenario("nonsense", ClientSubject(("true",)), background)


def test_an_unknown_parameter_is_refused_with_the_names_of_all(background: Background) -> None:
    with pytest.raises(
        UsageError, match=r"half-close-request: expected a parameter \(answer_delay\), found 'd'"
    ):
        run_scenario("half-close-request", ClientSubject(("true",)), background, d=1)


def test_a_scenario_is_not_for_every_kind_of_subject(background: Background) -> None:
    outcome = run_scenario("half-close-request", ClientSubject(("true",)), background)
    assert outcome.verdict is Verdict.NOT_APPLICABLE
    assert outcome.reason == "it tries a server or a relay, not a client"


@pytest.mark.parametrize(
    ("one", "other", "heavier"),
    [
        (Verdict.PASS, Verdict.INFO, Verdict.PASS),
        (Verdict.PASS, Verdict.NOT_APPLICABLE, Verdict.PASS),
        (Verdict.PASS, Verdict.NOT_OBSERVED, Verdict.NOT_OBSERVED),
        (Verdict.NOT_OBSERVED, Verdict.NON_STRICT, Verdict.NON_STRICT),
        (Verdict.NON_STRICT, Verdict.FAIL, Verdict.FAIL),
        (Verdict.INFO, Verdict.NOT_APPLICABLE, Verdict.INFO),
    ],
)
def test_what_was_not_observed_is_never_a_pass(one: Verdict, other: Verdict, heavier: Verdict) -> None:
    assert worst(one, other) is worst(other, one) is heavier


@needs_linux
def test_an_outcome_is_json_with_its_evidence(background: Background) -> None:
    outcome = try_client("fin-mid-body", background, RETRIES)
    told = json.loads(json.dumps(outcome.as_dict()))
    assert (told["verdict"], told["scenario"], told["subject"]) == ("pass", "fin-mid-body", "client")
    assert Judgement(**told["behaviour"]) == outcome.behaviour
    session = told["evidence"]["sessions"][0]
    assert session["rules"] == ["server.bytes 10000 -> fin"]
    assert "rule.fired" in [record["event"] for record in session["records"]]
    assert session["svg"].startswith("<svg")
    assert [end["name"] for end in session["ends"]] == ["client", "client leg", "server leg", "server"]
    assert "ESTABLISHED" in session["ends"][0]["observed"]
