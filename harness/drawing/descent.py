"""One endpoint's way down its ladder as plain text: what was observed, alone or beside what was expected.

These texts stand in failure messages, so they are plain ASCII without colour and at most 100 columns wide
as long as addresses allow. This module must not know how a ladder is compared; it draws the outcome.
"""

import math
from collections.abc import Iterable, Sequence

from harness.ladders import Match
from harness.ladders.ladder import format_duration
from harness.transitions import Observed, SegmentEvent, Transition
from harness.watching.history import EndpointHistory

_NOTHING_SEEN = "no row of this endpoint was ever seen: that does not mean that it is closed"


def draw_descent(name: str, history: EndpointHistory, *, notes: Sequence[str] = ()) -> str:
    """Return the transitions of an endpoint, one rung a line: time since the first, state, who saw it."""
    lines = [
        f"  {_time(step, history.transitions):>10}  {step.after:<12}  {_evidence(step)}"
        for step in history.transitions
    ]
    return "\n".join([_title(name, history), *lines, *_remarks(history, notes)])


def draw_mismatch(name: str, found: Match, history: EndpointHistory, *, notes: Sequence[str] = ()) -> str:
    """Return the findings, and expected and observed rungs side by side with times and who saw them."""
    title = f" ({found.ladder.name}, {found.ladder.source})" if found.ladder.name else ""
    lines = [_title(name, history), *(f"  {finding}" for finding in found.findings), ""]
    lines.append(f"  {'expected':<28} {'observed':<12} {'at':>10}  seen by")
    for step in found.steps:
        expected = "" if step.expected is None else str(step.expected)
        lines.append(
            f"  {expected:<26} {_sign(step.expected, step.taken)} {_taken(step.taken, history)}".rstrip()
        )
    lines.append(f"  expected ladder{title}: {found.ladder}")
    return "\n".join([*lines, *_remarks(history, notes)])


def _title(name: str, history: EndpointHistory) -> str:
    owner = "owner unknown" if history.owner is None else str(history.owner)
    return f"{name} {history.endpoint}, {owner}"


def _sign(expected: object, taken: Transition | None) -> str:
    if expected is None or taken is None:
        return " "
    return " " if getattr(expected, "state", None) is taken.after else "!"


def _taken(taken: Transition | None, history: EndpointHistory) -> str:
    if taken is None:
        return "-"
    return f"{taken.after:<12} {_time(taken, history.transitions):>10}  {_evidence(taken)}"


def _time(step: Transition, transitions: Sequence[Transition]) -> str:
    since = step.at - transitions[0].at
    return "0" if since == 0 else f"+{format_duration(since)}"


def _evidence(step: Transition) -> str:
    if not isinstance(step.evidence, Observed):
        return str(step.evidence)
    uncertain = step.may_hide_rungs and math.isfinite(step.earliest) and step.before is not None
    return (
        f"{step.evidence}, up to {format_duration(step.at - step.earliest)} earlier"
        if uncertain
        else str(step.evidence)
    )


def _remarks(history: EndpointHistory, notes: Iterable[str]) -> list[str]:
    start = history.transitions[0].at if history.transitions else 0.0
    lines = [] if history.transitions else [f"  {_NOTHING_SEEN}"]
    lines += [f"  {_segment(event, start)}" for event in history.segments]
    if history.is_reused:
        lines.append("  then another connection used the same addresses; it is not part of this ladder")
    return lines + [f"  note: {note}" for note in notes]


def _segment(event: SegmentEvent, start: float) -> str:
    reason = f", {event.reason}" if event.reason else ""
    return f"{event.kind} at +{format_duration(event.at - start)}{reason} ({event.source})"
