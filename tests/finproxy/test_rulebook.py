from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finproxy import rules
from finproxy.legs import Leg
from finproxy.notation import parse_rule
from finproxy.rulebook import InPlay, RuleBook, requested
from finproxy.rules import Hold, Rule

from .strategies import all_rules, legs, triggers


def book(*texts: str) -> RuleBook:
    return RuleBook(InPlay(parse_rule(text)) for text in texts)


def chosen(texts: list[str], leg: Leg, trigger: rules.Trigger) -> str | None:
    found = book(*texts).choose(leg, trigger)
    return found.name if found else None


def test_the_first_rule_that_matches_wins() -> None:
    texts = ["server.fin -> drop", "client.reset -> drop", "any.fin -> hold", "client.fin -> relay"]
    assert chosen(texts, Leg.CLIENT, rules.Fin()) == "any.fin -> hold"
    assert chosen(texts, Leg.SERVER, rules.Fin()) == "server.fin -> drop"
    assert chosen(texts, Leg.SERVER, rules.Reset()) is None


def test_a_moment_matches_its_own_number_only() -> None:
    texts = ["client.bytes 10 -> reset", "client.after 1s -> hold"]
    assert chosen(texts, Leg.CLIENT, rules.Bytes(10)) == "client.bytes 10 -> reset"
    assert chosen(texts, Leg.CLIENT, rules.Bytes(11)) is None
    assert chosen(texts, Leg.CLIENT, rules.Idle(1)) is None


def test_each_moment_is_watched_for_once_on_each_leg_it_concerns() -> None:
    rulebook = book(
        "any.bytes 10 -> reset", "client.bytes 10 -> hold", "client.idle 1s -> reset", "any.connect -> hold"
    )
    assert rulebook.moments(Leg.CLIENT) == [rules.Bytes(10), rules.Idle(1)]
    assert rulebook.moments(Leg.SERVER) == [rules.Bytes(10)]


def test_as_many_bytes_are_kept_back_as_the_greediest_truncate_wants() -> None:
    rulebook = book("client.fin -> truncate 5", "any.reset -> truncate 3", "server.fin -> hold")
    assert rulebook.keep_back(Leg.CLIENT) == 5
    assert rulebook.keep_back(Leg.SERVER) == 3
    assert book("any.fin -> hold").keep_back(Leg.CLIENT) == 0


@given(st.lists(all_rules), legs, triggers)
def test_a_chosen_rule_concerns_the_leg_and_the_trigger(
    in_play: list[Rule], leg: Leg, trigger: rules.Trigger
) -> None:
    found = RuleBook(map(InPlay, in_play)).choose(leg, trigger)
    matching = [rule for rule in in_play if rule.concerns(leg) and rule.trigger == trigger]
    assert (found.rule if found else None) == (matching[0] if matching else None)


def test_a_rule_is_in_play_where_luck_is_below_its_probability() -> None:
    rule = parse_rule("any.fin -> drop @0.5")
    numbers = {"in": 0.499, "out": 0.5}
    for outcome, luck in numbers.items():
        drawn = RuleBook.draw([rule], lambda luck=luck: luck)  # type: ignore[misc]
        assert (drawn.choose(Leg.CLIENT, rules.Fin()) is not None) == (outcome == "in")


def test_a_rule_without_a_probability_is_always_in_play() -> None:
    drawn = RuleBook.draw([parse_rule("any.fin -> drop")], lambda: 0.999999)
    assert drawn.choose(Leg.SERVER, rules.Fin())


@given(st.lists(all_rules, max_size=5))
def test_the_numbers_drawn_depend_on_how_many_rules_there_are_and_on_nothing_else(some: list[Rule]) -> None:
    count = 0

    def chance() -> float:
        nonlocal count
        count += 1
        return 0.5

    RuleBook.draw(some, chance)
    assert count == 3 * len(some)


@given(st.integers(0, 2**32), legs)
def test_jitter_stays_within_its_bounds(seed: int, leg: Leg) -> None:
    drawn = RuleBook.draw([parse_rule("any.fin -> delay 2s~200ms")], random.Random(seed).random)
    found = drawn.choose(leg, rules.Fin())
    assert found
    assert -0.2 <= found.extra_delay(leg) <= 0.2


def test_each_leg_has_a_jitter_of_its_own_and_its_ends_are_reached() -> None:
    numbers = iter([0.0, 0.0, 0.75])
    drawn = RuleBook.draw([parse_rule("any.fin -> delay 2s~200ms")], lambda: next(numbers))
    found = drawn.choose(Leg.CLIENT, rules.Fin())
    assert found
    assert found.extra_delay(Leg.CLIENT) == pytest.approx(-0.2)
    assert found.extra_delay(Leg.SERVER) == pytest.approx(0.1)


@given(st.lists(all_rules, max_size=5), st.integers(0, 2**32))
def test_a_seed_means_the_same_each_time(some: list[Rule], seed: int) -> None:
    one, two = (RuleBook.draw(some, random.Random(seed).random) for _ in range(2))
    for rule in some:
        for leg in Leg:
            assert one.choose(leg, rule.trigger) == two.choose(leg, rule.trigger)


def test_a_request_is_not_named_after_a_rule() -> None:
    assert requested(Hold()).name == "request"
    assert InPlay(requested(Hold()).rule).name == "any.fin -> hold"
