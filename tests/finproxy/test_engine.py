"""The engine, exhaustively: each trigger with each action on each leg, after each thing the other side did.

The two tables are the specification, written for rules of the client and mirrored for the server. Three
columns: the server has done nothing before, or has sent its FIN, or a RST. "!" are records about the client.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from finproxy.engine import Engine
from finproxy.legs import FlowEnd, Leg, Relayed
from finproxy.transitions import FlowState, IllegalTransitionError

from .playbook import Conversation, mirrored, play

Turn = Callable[[str], str]
"""Leaves a script as it is, or puts client and server in each other's place."""

BEFORE: dict[str, list[str]] = {
    "nothing": [],
    "FIN": ["server FIN", "FIN left to client"],
    "RST": ["server RST"],
}

AT_THE_END: dict[str, dict[str, tuple[str, str, str]]] = {
    "fin": {
        "relay": (
            "!rule.fired, FIN to server",
            "!rule.fired, FIN to server, await client",
            "keep back 0 of client",
        ),
        "delay 2s": (
            "!rule.fired, timer client 2s, !fin.held",
            "!rule.fired, timer client 2s, !fin.held, await client",
            "keep back 0 of client",
        ),
        "hold": (
            "!rule.fired, !fin.held",
            "!rule.fired, !fin.held, await client",
            "keep back 0 of client",
        ),
        "hold 5s": (
            "!rule.fired, timer client 5s, !fin.held",
            "!rule.fired, timer client 5s, !fin.held, await client",
            "keep back 0 of client",
        ),
        "drop": (
            "!rule.fired, keep back 0 of client, !fin.dropped",
            "!rule.fired, keep back 0 of client, !fin.dropped, await client",
            "keep back 0 of client",
        ),
        "reorder": (
            "!rule.fired, !fin.held",
            "!rule.fired, FIN to server, await client",
            "keep back 0 of client",
        ),
        "simultaneous": (
            "!rule.fired, !fin.held",
            "!rule.fired, FIN to server, !server fin.released, FIN to client",
            "keep back 0 of client",
        ),
        "fin": (
            "!rule.fired, FIN to server",
            "!rule.fired, FIN to server, await client",
            "keep back 0 of client",
        ),
        "truncate 5": (
            "!rule.fired, drop newest 5 of client, FIN to server",
            "!rule.fired, drop newest 5 of client, FIN to server, await client",
            "keep back 0 of client",
        ),
        "reset": (
            "!rule.fired, await server for a while",
            "!rule.fired, await server for a while, await client",
            "keep back 0 of client",
        ),
        "full-close": (
            "!rule.fired, FIN to server, discard server, FIN to client",
            "!rule.fired, FIN to server, await client",
            "keep back 0 of client",
        ),
        "blackhole": (
            "!rule.fired, stop moving",
            "!rule.fired, stop moving, await client",
            "keep back 0 of client",
        ),
    },
    "reset": {
        "relay": (
            "discard server, !rule.fired, await server for a while",
            "!rule.fired, await server for a while",
            "keep back 0 of client",
        ),
        "delay 2s": (
            "discard server, !rule.fired, timer client 2s, !reset.held",
            "!rule.fired, timer client 2s, !reset.held",
            "keep back 0 of client",
        ),
        "hold": (
            "discard server, !rule.fired, !reset.held",
            "!rule.fired, !reset.held",
            "keep back 0 of client",
        ),
        "hold 5s": (
            "discard server, !rule.fired, timer client 5s, !reset.held",
            "!rule.fired, timer client 5s, !reset.held",
            "keep back 0 of client",
        ),
        "drop": (
            "discard server, !rule.fired, keep back 0 of client, !reset.dropped",
            "!rule.fired, keep back 0 of client, !reset.dropped",
            "keep back 0 of client",
        ),
        "reorder": (
            "discard server, !rule.fired, !reset.held",
            "!rule.fired, await server for a while",
            "keep back 0 of client",
        ),
        "simultaneous": (
            "discard server, !rule.fired, !reset.held",
            "!rule.fired, await server for a while",
            "keep back 0 of server, !server reset.dropped, keep back 0 of client",
        ),
        "fin": (
            "discard server, !rule.fired, FIN to server",
            "!rule.fired, FIN to server",
            "keep back 0 of client",
        ),
        "truncate 5": (
            "discard server, !rule.fired, drop newest 5 of client, FIN to server",
            "!rule.fired, drop newest 5 of client, FIN to server",
            "keep back 0 of client",
        ),
        "reset": (
            "discard server, !rule.fired, await server for a while",
            "!rule.fired, await server for a while",
            "keep back 0 of client",
        ),
        "full-close": (
            "discard server, !rule.fired, FIN to server, discard server, keep back 0 of server",
            "!rule.fired, FIN to server, keep back 0 of server",
            "keep back 0 of client",
        ),
        "blackhole": (
            "discard server, !rule.fired, stop moving",
            "!rule.fired, stop moving",
            "keep back 0 of client",
        ),
    },
}

# At the moment, and after the bar when the client's FIN comes later.
AT_A_MOMENT: dict[str, tuple[str, str, str]] = {
    "relay": (
        "!rule.fired | FIN to server",
        "!rule.fired | FIN to server, await client",
        "!rule.fired | keep back 0 of client",
    ),
    "delay 2s": (
        "!rule.fired | timer client 2s, !fin.held",
        "!rule.fired | timer client 2s, !fin.held, await client",
        "!rule.fired | keep back 0 of client",
    ),
    "hold": (
        "!rule.fired | !fin.held",
        "!rule.fired | !fin.held, await client",
        "!rule.fired | keep back 0 of client",
    ),
    "hold 5s": (
        "!rule.fired | timer client 5s, !fin.held",
        "!rule.fired | timer client 5s, !fin.held, await client",
        "!rule.fired | keep back 0 of client",
    ),
    "drop": (
        "!rule.fired | keep back 0 of client, !fin.dropped",
        "!rule.fired | keep back 0 of client, !fin.dropped, await client",
        "!rule.fired | keep back 0 of client",
    ),
    "reorder": (
        "!rule.fired | !fin.held",
        "!rule.fired | FIN to server, await client",
        "!rule.fired | keep back 0 of client",
    ),
    "simultaneous": (
        "!rule.fired | !fin.held",
        "!rule.fired | FIN to server, await client",
        "!rule.fired | keep back 0 of client",
    ),
    "fin": (
        "!rule.fired, discard client, FIN to server",
        "!rule.fired, discard client, FIN to server | await client",
        "!rule.fired, discard client, keep back 0 of client",
    ),
    "truncate 5": (
        "!rule.fired, drop newest 5 of client, discard client, FIN to server",
        "!rule.fired, drop newest 5 of client, discard client, FIN to server | await client",
        "!rule.fired, drop newest 5 of client, discard client, keep back 0 of client",
    ),
    "reset": (
        "!rule.fired, discard client, await server for a while",
        "!rule.fired, discard client, await server for a while | await client",
        "!rule.fired, keep back 0 of client, abort client",
    ),
    "full-close": (
        "!rule.fired, discard client, FIN to server, discard server, FIN to client",
        "!rule.fired, discard client, FIN to server | await client",
        "!rule.fired, discard client, keep back 0 of client",
    ),
    "blackhole": (
        "!rule.fired, stop moving",
        "!rule.fired, stop moving",
        "!rule.fired, stop moving",
    ),
}

MOMENTS = {
    "bytes 9": "client reached 9",
    "idle 9s": "client idle 9s",
    "after 9s": "timer client",
}


def _spelled_out(cell: str) -> str:
    return cell.replace("!server ", "note server ").replace("!", "note client ")


def _conversation(rule: str, before: str, turn: Turn) -> Conversation:
    """A session with this rule, in which the other side has done its part."""
    conversation = Conversation(turn(rule))
    said = conversation.tell("open")
    for step in map(turn, BEFORE[before]):
        if not step.startswith("FIN left") or step.replace("left ", "") in said:  # else a rule keeps it
            said = conversation.tell(step)
    return conversation


@pytest.mark.parametrize("turn", [str, mirrored], ids=["client", "server"])
@pytest.mark.parametrize(("column", "before"), list(enumerate(BEFORE)))
@pytest.mark.parametrize("action", AT_THE_END["fin"])
@pytest.mark.parametrize("trigger", AT_THE_END)
def test_each_action_at_each_end(trigger: str, action: str, column: int, before: str, turn: Turn) -> None:
    conversation = _conversation(f"client.{trigger} -> {action}", before, turn)
    event, always = {"fin": ("client FIN", []), "reset": ("client RST", ["release client"])}[trigger]
    expected = ", ".join([*always, _spelled_out(AT_THE_END[trigger][action][column])])
    assert ", ".join(conversation.tell(turn(event))) == turn(expected)


@pytest.mark.parametrize("turn", [str, mirrored], ids=["client", "server"])
@pytest.mark.parametrize(("column", "before"), list(enumerate(BEFORE)))
@pytest.mark.parametrize("action", AT_A_MOMENT)
@pytest.mark.parametrize("moment", MOMENTS)
def test_each_action_at_each_moment(moment: str, action: str, column: int, before: str, turn: Turn) -> None:
    conversation = _conversation(f"client.{moment} -> {action}", before, turn)
    at_once, _, at_the_fin = _spelled_out(AT_A_MOMENT[action][column]).partition(" | ")
    assert ", ".join(conversation.tell(turn(MOMENTS[moment]))) == turn(at_once)
    if not conversation.engine.over and not conversation.engine.blackholed:
        assert ", ".join(conversation.tell(turn("client FIN"))) == turn(at_the_fin)


@pytest.mark.parametrize("turn", [str, mirrored], ids=["client", "server"])
@pytest.mark.parametrize("action", AT_A_MOMENT)
def test_each_action_when_the_session_is_established(action: str, turn: Turn) -> None:
    conversation = Conversation(turn(f"client.connect -> {action}"))
    at_once, _, at_the_fin = _spelled_out(AT_A_MOMENT[action][0]).partition(" | ")
    said = [name for name in conversation.tell("open") if not name.startswith("keep back")]
    assert ", ".join(said) == turn(at_once)
    if not conversation.engine.blackholed:
        assert ", ".join(conversation.tell(turn("client FIN"))) == turn(at_the_fin)


# --- what comes after ------------------------------------------------------------------------------


def test_without_rules_fin_is_told_as_fin_and_both_legs_are_released() -> None:
    engine = play(
        """
        > open
        1 > client FIN
          < FIN to server
        > FIN left to server
        2 > server FIN
          < FIN to client
          < await server
        > FIN left to client
          < await client
        > client has all
          < release client
        > server has all
          < release server
        """
    )
    assert engine.over
    assert engine.closed_first is Leg.CLIENT
    assert engine.endpoint(Leg.CLIENT).told is Relayed.FIN


def test_without_rules_a_reset_waits_for_what_was_sent_before_it() -> None:
    engine = play(
        """
        > open
        > server RST
          < release server
          < discard client
          < await client for a while
        > client has all
          < abort client
        """
    )
    assert engine.over
    assert engine.endpoint(Leg.SERVER).ended is FlowEnd.RESET
    assert engine.endpoint(Leg.SERVER).told is Relayed.RESET


def test_a_leg_that_failed_is_told_as_a_reset_whatever_the_rules_say_of_resets() -> None:
    engine = play(
        """
        > open
        > client failed
          < release client
          < discard server
          < note client leg.failed
          < await server for a while
        > server has all
          < abort server
        """,
        "client.reset -> drop",
    )
    assert engine.endpoint(Leg.CLIENT).ended is FlowEnd.FAILED


def test_a_reset_after_both_fins_have_passed_is_not_told() -> None:
    play(
        """
        > open
        > client FIN
          < FIN to server
        > FIN left to server
        > server FIN
          < FIN to client
          < await server
        > FIN left to client
          < await client
        > client RST
          < release client
          < keep back 0 of client
        > server has all
          < release server
        """
    )


def test_the_reset_that_follows_a_fin_is_told_as_well() -> None:
    play(
        """
        > open
        > client FIN
          < FIN to server
        > FIN left to server
        > client RST
          < release client
          < discard server
          < await server for a while
        > server has all
          < abort server
        """
    )


def test_a_delayed_fin_goes_when_its_time_is_up() -> None:
    engine = play(
        """
        > open
        1 > client FIN
          < note client rule.fired
          < timer client 2s
          < note client fin.held
        3 > timer client
          < note client fin.released
          < FIN to server
        """,
        "client.fin -> delay 2s",
    )
    assert engine.endpoint(Leg.CLIENT).kept_for == 2


def test_a_hold_ends_when_it_is_released_and_its_timer_comes_to_nothing() -> None:
    play(
        """
        > open
        1 > client FIN
          < note client rule.fired
          < timer client 5s
          < note client fin.held
        2 > let go client
          < note client fin.released
          < FIN to server
        6 > timer client
        """,
        "client.fin -> hold 5s",
    )


def test_a_requested_hold_replaces_a_delay_and_its_timer() -> None:
    play(
        """
        > open
        1 > client FIN
          < note client rule.fired
          < timer client 2s
          < note client fin.held
        2 > hold client
          < note client fin.held
        3 > timer client
        9 > let go client
          < note client fin.released
          < FIN to server
        """,
        "client.fin -> delay 2s",
    )


def test_a_hold_requested_before_the_end_comes_goes_before_all_rules() -> None:
    play(
        """
        > open
        > hold client
        > client FIN
          < note client fin.held
        > let go client
          < note client fin.released
          < FIN to server
        """,
        "client.fin -> reset",
    )


def test_a_requested_hold_that_was_called_off_leaves_the_rules_in_force() -> None:
    play(
        """
        > open
        > hold client
        > let go client
        > client FIN
          < FIN to server
        """
    )


def test_reorder_relays_the_first_fin_after_the_second() -> None:
    play(
        """
        > open
        > client FIN
          < note client rule.fired
          < note client fin.held
        > server FIN
          < FIN to client
        > FIN left to client
          < note client fin.released
          < FIN to server
          < await client
        > FIN left to server
          < await server
        """,
        "client.fin -> reorder",
    )


def test_two_reorders_let_the_later_fin_go_first() -> None:
    play(
        """
        > open
        > client FIN
          < note client rule.fired
          < note client fin.held
        > server FIN
          < note server rule.fired
          < FIN to client
        > FIN left to client
          < note client fin.released
          < FIN to server
          < await client
        """,
        "any.fin -> reorder",
    )


def test_reorder_without_an_opposite_fin_to_wait_for_lets_a_reset_go_when_that_end_has_come() -> None:
    play(
        """
        > open
        > client RST
          < release client
          < discard server
          < note client rule.fired
          < note client reset.held
        > server FIN
          < keep back 0 of server
          < note client reset.released
          < await server for a while
        """,
        "client.reset -> reorder",
    )


def test_simultaneous_keeps_the_other_sides_fin_too() -> None:
    play(
        """
        > open
        > server FIN
          < note server fin.held
        > client FIN
          < note client rule.fired
          < FIN to server
          < note server fin.released
          < FIN to client
        """,
        "client.fin -> simultaneous",
    )


def test_a_kept_fin_that_becomes_a_reset_is_dropped_and_the_reset_is_told() -> None:
    play(
        """
        > open
        > client FIN
          < note client rule.fired
          < note client fin.held
        > client RST
          < keep back 0 of client
          < note client fin.dropped
          < release client
          < discard server
          < await server for a while
        """,
        "client.fin -> hold",
    )


def test_what_is_kept_for_an_endpoint_that_resets_is_dropped() -> None:
    play(
        """
        > open
        > client FIN
          < note client rule.fired
          < note client fin.held
        > server RST
          < release server
          < keep back 0 of client
          < note client fin.dropped
          < await client for a while
        """,
        "client.fin -> hold",
    )


def test_a_premature_fin_makes_the_real_one_nothing_new() -> None:
    play(
        """
        > open
          < watch client bytes 9
        > client reached 9
          < note client rule.fired
          < discard client
          < FIN to server
        > FIN left to server
        > client FIN
        """,
        "client.bytes 9 -> fin",
    )


def test_all_moments_are_watched_for_once_and_truncated_bytes_kept_back_from_the_start() -> None:
    play(
        """
        > open
          < keep back 7 of client
          < watch client bytes 9
          < timer client 1s
          < watch server idle 2s
        """,
        "client.bytes 9 -> reset",
        "client.bytes 9 -> hold",
        "client.after 1s -> hold",
        "client.fin -> truncate 5",
        "client.reset -> truncate 7",
        "server.idle 2s -> reset",
    )


def test_an_abort_resets_what_is_left() -> None:
    engine = play(
        """
        > open
        > client RST
          < release client
          < discard server
          < await server for a while
        > abort
          < abort server
        > server has all
        """
    )
    assert engine.over
    assert engine.aborted == "enough"


@pytest.mark.parametrize("action", ["hold", "fin", "drop", "truncate 5"])
def test_a_moment_comes_too_late_for_an_end_that_is_being_told(action: str) -> None:
    conversation = Conversation(f"client.after 1s -> {action}")
    for name in ("open", "client FIN", "FIN left to server"):
        conversation.tell(name)
    assert conversation.tell("timer client") == []


def test_an_endpoint_that_has_ended_its_flow_is_not_idle() -> None:
    conversation = Conversation("client.idle 1s -> reset")
    conversation.tell("open")
    conversation.tell("client FIN")
    assert conversation.tell("client idle 1s") == []


def test_no_moment_matters_when_the_session_is_over() -> None:
    conversation = Conversation("client.after 1s -> reset")
    conversation.tell("open")
    conversation.tell("abort")
    assert conversation.tell("timer client") == []


def test_nothing_in_a_blackhole_is_told_but_a_reset_rule_still_ends_it() -> None:
    play(
        """
        > open
          < watch client bytes 9
          < timer server 2s
        > client reached 9
          < note client rule.fired
          < stop moving
        > client RST
          < release client
          < discard server
          < keep back 0 of client
        > timer server
          < note server rule.fired
          < keep back 0 of server
          < abort server
        """,
        "client.bytes 9 -> blackhole",
        "server.after 2s -> reset",
    )


def test_what_was_kept_when_the_blackhole_opens_is_dropped() -> None:
    play(
        """
        > open
          < watch server bytes 9
        > client FIN
          < note client rule.fired
          < note client fin.held
        > server reached 9
          < note server rule.fired
          < stop moving
          < keep back 0 of client
          < note client fin.dropped
        """,
        "client.fin -> hold",
        "server.bytes 9 -> blackhole",
    )


# --- orders that once were told wrongly -----------------------------------------------------------------


@pytest.mark.parametrize(("action", "note"), [("hold", "held"), ("drop", "dropped")])
def test_a_fin_can_leave_while_the_reset_after_it_is_kept_or_dropped(action: str, note: str) -> None:
    conversation = Conversation(f"client.reset -> {action}")
    conversation.tell("open")
    assert conversation.tell("client FIN") == ["FIN to server"]
    assert conversation.tell("client RST")[-1] == f"note client reset.{note}"
    assert conversation.tell("FIN left to server") == []
    assert conversation.engine.endpoint(Leg.CLIENT).told is Relayed.FIN


def test_no_second_fin_is_sent_while_the_first_waits_for_room() -> None:
    play(
        """
        > open
          < watch server idle 1s
        > client FIN
          < FIN to server
        > client RST
          < release client
          < discard server
          < note client rule.fired
          < note client reset.held
        > server idle 1s
          < note server rule.fired
          < discard server
          < keep back 0 of server
          < note client reset.released
        """,
        "client.reset -> hold",
        "server.idle 1s -> full-close",
    )


def test_a_premature_fin_has_nothing_to_add_to_a_fin_before_a_kept_reset() -> None:
    engine = play(
        """
        > open
          < watch server idle 1s
        > client FIN
          < FIN to server
        > FIN left to server
        > client RST
          < release client
          < discard server
          < note client rule.fired
          < note client reset.held
        > server idle 1s
          < note server rule.fired
          < discard server
          < keep back 0 of server
          < note client reset.released
          < keep back 0 of client
        """,
        "client.reset -> hold",
        "server.idle 1s -> full-close",
    )
    assert engine.endpoint(Leg.CLIENT).flow_state is FlowState.DROPPED


def test_a_reset_on_its_way_is_not_called_back_by_a_rule_for_the_next_one() -> None:
    play(
        """
        > open
          < note client rule.fired
          < discard client
          < await server for a while
        > client RST
          < release client
          < discard server
        > server has all
          < abort server
        """,
        "client.connect -> reset",
        "client.reset -> hold",
    )


def test_a_blackhole_stops_a_reset_that_is_on_its_way() -> None:
    play(
        """
        > open
          < watch client bytes 9
          < note server rule.fired
          < discard server
          < await client for a while
        > client reached 9
          < note client rule.fired
          < stop moving
        > client has all
        """,
        "server.connect -> reset",
        "client.bytes 9 -> blackhole",
    )


def test_simultaneous_is_let_go_by_a_fin_that_was_sent_early_once_it_really_comes() -> None:
    play(
        """
        > open
          < watch server bytes 9
        > client FIN
          < note client rule.fired
          < note client fin.held
        > server reached 9
          < note server rule.fired
          < discard server
          < FIN to client
        > FIN left to client
          < await client
        > server FIN
          < note client fin.released
          < FIN to server
        """,
        "client.fin -> simultaneous",
        "server.bytes 9 -> fin",
    )


def test_a_moments_reorder_does_not_wait_for_an_end_that_waits_for_it() -> None:
    play(
        """
        > open
          < timer server 1s
        > client FIN
          < note client rule.fired
          < note client fin.held
        > hold server
        > server FIN
          < note server fin.held
        > timer server
          < note server rule.fired
          < note server fin.released
          < FIN to client
        """,
        "client.fin -> reorder",
        "server.after 1s -> reorder",
    )


def test_a_held_reset_that_is_to_be_reordered_does_not_wait_for_an_end_that_has_come() -> None:
    play(
        """
        > open
          < timer client 1s
        > hold client
        > client RST
          < release client
          < discard server
          < note client reset.held
        > server FIN
          < keep back 0 of server
        > timer client
          < note client rule.fired
          < note client reset.released
          < await server for a while
        """,
        "client.after 1s -> reorder",
    )


# --- defects of the shell -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ["client FIN", "client FIN"],
        ["FIN left to client"],
        ["client FIN", "FIN left to server", "FIN left to server"],
        ["client RST", "client RST"],
        ["client RST", "client FIN"],
        ["abort", "client FIN"],
    ],
    ids=" then ".join,
)
def test_what_cannot_follow_is_refused_and_not_guessed_at(names: list[str]) -> None:
    conversation = Conversation()
    for name in ["open", *names[:-1]]:
        conversation.tell(name)
    with pytest.raises(IllegalTransitionError):
        conversation.tell(names[-1])


def test_a_new_engine_has_nothing_to_say_and_is_not_over() -> None:
    assert not Engine().over
    assert Conversation().tell("open") == []
