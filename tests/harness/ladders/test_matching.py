import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.ladders import ABORT_SENT, ACTIVE_CLOSE, PASSIVE_CLOSE, FindingKind, Ladder, Match, match
from harness.ladders.legal import LEGAL
from harness.rows import Endpoint
from harness.states import TcpState, parse_state
from harness.transitions import JOURNAL, Observed, SegmentEvent, Transition

ENDPOINT = Endpoint.of((("127.0.0.1", 5000), ("127.0.0.1", 80)))


def taken(text: str, *, exact: bool = True, seconds_each: float = 1.0) -> list[Transition]:
    """Transitions down `text`, one each `seconds_each`, seen by an exact source or by looks at a table."""
    states: list[TcpState] = [parse_state(part) for part in text.split(">")]
    evidence = Observed("test", exact=exact)
    steps = []
    befores: list[TcpState | None] = [None, *states]
    for number, (before, after) in enumerate(zip(befores, states, strict=False)):
        at = number * seconds_each
        steps.append(Transition(ENDPOINT, before, after, at, at, evidence))
    return steps


def judge(ladder: Ladder | str, steps: list[Transition], *, strict: bool = False) -> Match:
    expected = Ladder.parse(ladder) if isinstance(ladder, str) else ladder
    return match(expected, steps, now=steps[-1].at if steps else 0.0, strict=strict)


def kinds(found: Match) -> list[FindingKind]:
    return [finding.kind for finding in found.findings]


def test_the_prescribed_way_has_no_findings() -> None:
    found = judge(ACTIVE_CLOSE, taken("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT"))
    assert found.ok
    assert found.unseen == ()


def test_how_the_connection_was_opened_is_not_judged() -> None:
    assert judge(PASSIVE_CLOSE, taken("SYN-RECEIVED > ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED")).ok


def test_what_comes_after_the_last_rung_is_not_judged() -> None:
    assert judge("ESTABLISHED > FIN-WAIT-1", taken("ESTABLISHED > FIN-WAIT-1 > CLOSING > TIME-WAIT")).ok


def test_another_way_is_a_missing_rung_that_says_what_came_instead() -> None:
    found = judge(ACTIVE_CLOSE, taken("ESTABLISHED > FIN-WAIT-1 > CLOSING > TIME-WAIT"))
    assert kinds(found) == [FindingKind.MISSING_RUNG]
    assert "expected FIN-WAIT-2 after FIN-WAIT-1, found CLOSING instead" in str(found.findings[0])


def test_a_reset_without_a_fin_before_it_leaves_nothing_to_be_missed_behind_a_fin() -> None:
    seen = taken("ESTABLISHED > CLOSE-WAIT > CLOSED", exact=False)
    reset = SegmentEvent("reset sent", ENDPOINT, 1.5, JOURNAL)
    found = match(PASSIVE_CLOSE, seen, now=2.0, segments=[reset])
    assert judge(PASSIVE_CLOSE, seen).unseen == (TcpState.LAST_ACK,)
    assert "expected LAST-ACK after CLOSE-WAIT, found CLOSED instead" in str(found.findings[0])


def test_a_reset_leaves_what_no_fin_precedes_to_be_missed() -> None:
    reset = SegmentEvent("reset sent", ENDPOINT, 1.5, JOURNAL)
    seen = taken("ESTABLISHED > CLOSED", exact=False)
    found = match(Ladder.parse("ESTABLISHED > CLOSE-WAIT > CLOSED"), seen, now=2.0, segments=[reset])
    assert found.ok
    assert found.unseen == (TcpState.CLOSE_WAIT,)


def test_a_rung_not_reached_yet_is_missing() -> None:
    found = judge(ACTIVE_CLOSE, taken("ESTABLISHED > FIN-WAIT-1"))
    assert "expected FIN-WAIT-2 after FIN-WAIT-1, nothing followed so far" in str(found.findings[0])


def test_nothing_seen_at_all_is_a_missing_rung_and_not_a_success() -> None:
    assert kinds(judge(ACTIVE_CLOSE, [])) == [FindingKind.MISSING_RUNG]


def test_an_illegal_transition_is_found_even_behind_the_last_rung() -> None:
    found = judge("ESTABLISHED > CLOSE-WAIT", taken("ESTABLISHED > CLOSE-WAIT > TIME-WAIT"))
    assert kinds(found) == [FindingKind.ILLEGAL_TRANSITION]
    assert "CLOSE-WAIT to TIME-WAIT" in str(found.findings[0])


def test_an_optional_rung_may_be_left_out() -> None:
    assert judge(
        "ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2? > TIME-WAIT", taken("ESTABLISHED>FIN-WAIT-1>TIME-WAIT")
    ).ok


def test_a_rung_that_a_table_can_have_missed_is_unseen_and_not_missing() -> None:
    found = judge(PASSIVE_CLOSE, taken("ESTABLISHED > CLOSE-WAIT > CLOSED", exact=False))
    assert found.ok
    assert found.unseen == (TcpState.LAST_ACK,)


def test_strict_matching_wants_every_rung_seen_or_proven() -> None:
    found = judge(PASSIVE_CLOSE, taken("ESTABLISHED > CLOSE-WAIT > CLOSED", exact=False), strict=True)
    assert kinds(found) == [FindingKind.MISSING_RUNG]


def test_a_source_that_sees_all_leaves_no_room_for_unseen_rungs() -> None:
    found = judge(PASSIVE_CLOSE, taken("ESTABLISHED > CLOSE-WAIT > CLOSED", exact=True))
    assert kinds(found) == [FindingKind.MISSING_RUNG]


def test_a_gap_does_not_excuse_a_rung_that_does_not_fit_into_it() -> None:
    found = judge("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2", taken("ESTABLISHED > CLOSE-WAIT", exact=False))
    assert kinds(found) == [FindingKind.MISSING_RUNG]


@pytest.mark.parametrize(("bound", "is_ok"), [("1500ms", True), ("900ms", False)])
def test_a_rung_may_not_outlast_its_bound(bound: str, is_ok: bool) -> None:
    found = judge(
        f"ESTABLISHED > CLOSE-WAIT (max {bound}) > LAST-ACK", taken("ESTABLISHED > CLOSE-WAIT > LAST-ACK")
    )
    assert found.ok is is_ok
    assert kinds(found) == ([] if is_ok else [FindingKind.OVERSTAYED_RUNG])


def test_the_last_rung_is_measured_up_to_now() -> None:
    steps = taken("ESTABLISHED > CLOSE-WAIT")
    found = match(Ladder.parse("ESTABLISHED > CLOSE-WAIT (max 5s)"), steps, now=steps[-1].at + 7)
    assert "CLOSE-WAIT lasted over 7s, at most 5s was allowed" in str(found.findings[0])


@pytest.mark.parametrize(("kind", "is_ok"), [("reset sent", True), ("reset received", False)])
def test_an_abort_is_told_from_a_reset_by_the_kernels_report(kind: str, is_ok: bool) -> None:
    event = SegmentEvent(kind, ENDPOINT, 1.0, "test")  # type: ignore[arg-type]
    steps = taken("ESTABLISHED > CLOSED")
    found = match(ABORT_SENT, steps, now=1.0, segments=[event], sees_resets=True)
    assert found.ok is is_ok


def test_without_a_source_that_reports_resets_the_sender_is_not_judged() -> None:
    assert match(ABORT_SENT, taken("ESTABLISHED > CLOSED"), now=1.0).ok


@given(st.data())
def test_every_legal_way_matches_its_own_ladder_and_has_no_illegal_transition(data: st.DataObject) -> None:
    state, way = TcpState.ESTABLISHED, [TcpState.ESTABLISHED]
    while state is not TcpState.CLOSED:
        state = data.draw(st.sampled_from(sorted(LEGAL[state])))
        way.append(state)
    text = " > ".join(way)
    assert judge(text, taken(text)).ok
    assert judge(text, taken(text), strict=True).ok


def test_expected_and_taken_rungs_stand_side_by_side() -> None:
    found = judge(PASSIVE_CLOSE, taken("ESTABLISHED > CLOSE-WAIT > CLOSED", exact=False))
    sides = [(step.expected and step.expected.state, step.taken and step.taken.after) for step in found.steps]
    assert sides == [
        (TcpState.ESTABLISHED, TcpState.ESTABLISHED),
        (TcpState.CLOSE_WAIT, TcpState.CLOSE_WAIT),
        (TcpState.LAST_ACK, None),
        (TcpState.CLOSED, TcpState.CLOSED),
    ]
