from __future__ import annotations

import re
from typing import get_args

import pytest

from finproxy import guide, parse_rule, rules

ENTRIES = [*guide.TRIGGERS, *guide.ACTIONS]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.spelling)
def test_each_example_is_in_the_notation_and_shows_its_word(entry: guide.Entry) -> None:
    word = entry.spelling.split()[0]

    assert str(parse_rule(entry.example)) == entry.example
    assert re.search(rf"\b{word}\b", entry.example)


def test_every_trigger_and_every_action_has_an_entry() -> None:
    triggers = {type(parse_rule(entry.example).trigger) for entry in guide.TRIGGERS}
    actions = {type(parse_rule(entry.example).action) for entry in guide.ACTIONS}

    assert triggers == set(get_args(rules.Trigger))
    assert actions == set(get_args(rules.Action))


@pytest.mark.parametrize("way", ["'finproxy release'", "/v1/proxies/PROXY/release", "library", "SIGUSR1"])
def test_it_ends_with_every_way_to_let_go_what_is_held(way: str) -> None:
    held = guide.FOOTNOTE.partition("What is held")[2]

    assert way in held
