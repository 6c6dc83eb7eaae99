from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from finproxy import rules
from finproxy.legs import Leg
from finproxy.notation import format_rule, parse_rule
from finproxy.reading import NotationError
from finproxy.rules import Action, Rule, RuleError, Trigger

from .strategies import all_rules

LEGS = {"client": Leg.CLIENT, "server": Leg.SERVER, "any": None}

TRIGGERS: dict[str, Trigger] = {
    "fin": rules.Fin(),
    "reset": rules.Reset(),
    "connect": rules.Connect(),
    "bytes 1000": rules.Bytes(1000),
    "bytes 64KiB": rules.Bytes(65536),
    "after 2s": rules.After(2),
    "after 0s": rules.After(0),
    "idle 1m30s": rules.Idle(90),
}

ACTIONS: dict[str, Action] = {
    "relay": rules.Relay(),
    "delay 250ms": rules.Delay(0.25),
    "delay 2s~200ms": rules.Delay(2, 0.2),
    "hold": rules.Hold(),
    "hold 5s": rules.Hold(5),
    "drop": rules.Drop(),
    "reorder": rules.Reorder(),
    "simultaneous": rules.Simultaneous(),
    "fin": rules.SendFin(),
    "truncate 10": rules.Truncate(10),
    "reset": rules.SendReset(),
    "full-close": rules.FullClose(),
    "blackhole": rules.Blackhole(),
}

WIRE_ACTIONS: dict[str, Action] = {
    "delay 250ms": rules.Delay(0.25),
    "hold": rules.Hold(),
    "drop": rules.Drop(),
    "reorder": rules.Reorder(),
    "simultaneous": rules.Simultaneous(),
    "overtake": rules.Overtake(),
    "overtake 1s": rules.Overtake(1),
}


@pytest.mark.parametrize("leg", LEGS)
@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("action", ACTIONS)
def test_every_leg_trigger_and_action_is_read_and_written_back(leg: str, trigger: str, action: str) -> None:
    text = f"{leg}.{trigger} -> {action}"
    rule = parse_rule(text)
    assert rule == Rule(LEGS[leg], TRIGGERS[trigger], ACTIONS[action])
    assert format_rule(rule) == str(rule) == text


@pytest.mark.parametrize("action", WIRE_ACTIONS)
def test_every_action_at_wire_is_read_and_written_back(action: str) -> None:
    text = f"client.fin -> {action} at wire @0.5"
    assert parse_rule(text) == Rule(
        Leg.CLIENT, rules.Fin(), WIRE_ACTIONS[action], at_wire=True, probability=0.5
    )
    assert str(parse_rule(text)) == text


@given(all_rules)
def test_every_rule_reads_back_from_its_own_text(rule: Rule) -> None:
    assert parse_rule(str(rule)) == rule


@given(all_rules, st.sampled_from(["", " ", "  ", "\t"]))
def test_blanks_around_words_do_not_matter(rule: Rule, blank: str) -> None:
    spaced = str(rule).replace(".", f"{blank}.{blank}", 1).replace("->", f"{blank}->{blank}")
    assert parse_rule(f"{blank}{spaced}{blank}") == rule


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("client.fin->hold", "client.fin -> hold"),
        ("any.bytes 65536 -> reset", "any.bytes 64KiB -> reset"),
        ("any.after 90s -> reset", "any.after 1m30s -> reset"),
        ("any.fin -> delay 0.25s~0s", "any.fin -> delay 250ms"),
        ("any.fin -> overtake 50ms at wire", "any.fin -> overtake at wire"),
        ("any.fin -> drop @1", "any.fin -> drop"),
        ("any.fin -> drop @.10", "any.fin -> drop @0.1"),
        ("any.fin -> drop @1e-3", "any.fin -> drop @0.001"),
    ],
)
def test_other_spellings_become_the_canonical_one(text: str, canonical: str) -> None:
    assert str(parse_rule(text)) == canonical


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 1, "expected a leg (client, server, any), found the end"),
        ("cliet.fin -> hold", 1, "found 'cliet'; did you mean 'client'?"),
        ("Client.fin -> hold", 1, "found 'Client'; did you mean 'client'?"),
        ("client fin -> hold", 8, "expected '.' between the leg and the trigger, found 'fin'"),
        ("client.", 8, "expected a trigger (fin, reset, connect, bytes, after, idle), found the end"),
        ("client.fon -> hold", 8, "found 'fon'; did you mean 'fin'?"),
        ("client.fin hold", 12, "expected '->' between the trigger and the action, found 'hold'"),
        ("client.fin => hold", 12, "expected '->' between the trigger and the action, found '=>'"),
        ("client.fin ->", 14, "expected an action (delay, hold, "),
        ("client.fin -> dorp", 15, "found 'dorp'; did you mean 'drop'?"),
        ("client.fin -> fullclose", 15, "did you mean 'full-close'?"),
        ("client.bytes -> hold", 14, "expected a number of bytes such as 1000 or 64KiB, found '->'"),
        ("client.bytes 0 -> hold", 14, "expected a byte count of 1 or more, found 0"),
        ("client.bytes 1kB -> hold", 15, "expected a unit of size (GiB, MiB, KiB, B), found 'kB'"),
        ("client.after -> hold", 14, "expected a duration such as 250ms, 2s or 1m30s, found '->'"),
        ("client.idle 0s -> hold", 13, "expected an idle time above 0, found 0"),
        ("client.fin -> delay", 20, "expected a duration such as 250ms, 2s or 1m30s, found the end"),
        ("client.fin -> delay 2", 21, "expected a duration such as 250ms, 2s or 1m30s, found '2'"),
        ("client.fin -> delay 2x", 22, "expected a unit of time (us, ms, s, m, h), found 'x'"),
        ("client.fin -> delay 2 at wire", 21, "expected a duration such as 250ms, 2s or 1m30s, found '2'"),
        ("client.fin -> delay 2s~", 24, "expected a duration such as 250ms, 2s or 1m30s, found the end"),
        ("client.fin -> hold 5", 20, "expected a duration such as 250ms, 2s or 1m30s, found '5'"),
        ("client.fin -> truncate", 23, "expected a number of bytes such as 1000 or 64KiB, found the end"),
        ("client.fin -> truncate 0", 24, "expected a byte count of 1 or more, found 0"),
        ("client.fin -> hold at", 22, "expected 'wire' after 'at', found the end"),
        ("client.fin -> hold at wife", 23, "expected 'wire' after 'at', found 'wife'"),
        ("client.fin -> hold at wires", 23, "expected 'wire' after 'at', found 'wires'"),
        ("client.fin -> overtake", 15, "write 'overtake at wire'"),
        ("client.fin -> overtake 0s at wire", 24, "expected an overtake's limit above 0, found 0"),
        ("client.fin -> reset at wire", 15, "the others do not act on a FIN segment"),
        ("client.reset -> hold at wire", 17, "expected the trigger 'fin' in a rule at wire"),
        (
            "client.fin -> hold @",
            21,
            "expected a probability above 0 and up to 1, such as 0.1, found the end",
        ),
        ("client.fin -> hold @0", 21, "expected a probability above 0 and up to 1, found 0"),
        ("client.fin -> hold @1.5", 21, "expected a probability above 0 and up to 1, found 1.5"),
        (
            "client.fin -> hold @10%",
            21,
            "expected a probability above 0 and up to 1, such as 0.1, found '10'",
        ),
        ("client.fin -> hold now", 20, "expected 'at wire', '@' and a probability, or the end of the rule"),
        ("client.fin -> hold @0.5 at wire", 25, "found 'at'"),
    ],
)
def test_each_mistake_is_answered_with_its_column_and_what_was_expected(
    text: str, column: int, problem: str
) -> None:
    with pytest.raises(NotationError) as caught:
        parse_rule(text)
    assert problem in caught.value.problem
    assert caught.value.column == column


def test_a_complaint_shows_the_text_with_a_mark_under_the_column() -> None:
    with pytest.raises(NotationError) as caught:
        parse_rule("client.fin -> dorp")
    heading, text, mark = str(caught.value).splitlines()
    assert heading.startswith("column 15: expected an action")
    assert text == "  client.fin -> dorp"
    assert mark == "                ^"


@given(st.text())
@example("client.bytes " + "9" * 5000 + " -> hold")
@example("client.after " + "9" * 400 + "s -> hold")
@example("any.fin -> hold @" + "9" * 400)
@example("any.fin -> hold @1e-400")
def test_no_text_raises_anything_but_a_notation_error(text: str) -> None:
    _parse_or_complain(text)


_words = st.sampled_from(
    [
        *LEGS,
        *TRIGGERS,
        *ACTIONS,
        ".",
        "->",
        "at",
        "wire",
        "@",
        "~",
        "0.5",
        "9",
        "9s",
        "us",
        "KiB",
        "\n",
        "é",
        "-",
    ]
)


@given(st.lists(_words | st.integers(0).map(str)).map(" ".join))
def test_no_order_of_the_notations_own_words_raises_anything_else(text: str) -> None:
    _parse_or_complain(text)


@given(all_rules, st.data())
def test_no_damage_to_a_rule_raises_anything_else(rule: Rule, data: st.DataObject) -> None:
    text = str(rule)
    at = data.draw(st.integers(0, len(text)))
    _parse_or_complain(text[:at] + data.draw(st.text(max_size=2)) + text[at + data.draw(st.integers(0, 3)) :])


@pytest.mark.parametrize("wrong", [float("inf"), float("nan"), -1.0])
def test_durations_that_cannot_be_written_are_refused_as_values(wrong: float) -> None:
    for make in (rules.After, rules.Idle, rules.Delay, rules.Hold, rules.Overtake):
        with pytest.raises(RuleError, match="expected"):
            make(wrong)


def _parse_or_complain(text: str) -> None:
    complaint = None
    try:
        rule = parse_rule(text)
    except NotationError as error:
        complaint = error
    if complaint:
        assert 1 <= complaint.column <= len(text) + 1
        assert complaint.problem.startswith(("expected", "overtake"))
    else:
        assert parse_rule(str(rule)) == rule
