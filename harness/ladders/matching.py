"""Compares the rungs an endpoint really took with the ladder expected of it.

Three findings, never mixed: an *illegal transition* (RFC 9293 forbids it whatever was expected), a *missing
rung* (the endpoint took another way, or has not got there), an *overstayed rung* (there longer than its
bound). A rung that a table-only watch can have missed between two looks is none of these: it is listed as
unseen, and only `strict` matching counts it as missing. What comes after the ladder's last rung is not
judged, except for legality. This module must not know how transitions were obtained nor how a mismatch is
drawn.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

from harness.ladders.ladder import Ladder, Rung, format_duration
from harness.ladders.legal import is_legal, is_reachable
from harness.states import TcpState
from harness.transitions import SegmentEvent, Transition

_OPENING = frozenset({TcpState.LISTEN, TcpState.SYN_SENT, TcpState.SYN_RECEIVED})
_BEHIND_OWN_FIN = frozenset(
    {TcpState.FIN_WAIT_1, TcpState.FIN_WAIT_2, TcpState.CLOSING, TcpState.LAST_ACK, TcpState.TIME_WAIT}
)


class FindingKind(StrEnum):
    """What can be wrong with a descent."""

    ILLEGAL_TRANSITION = "illegal transition"
    MISSING_RUNG = "missing rung"
    OVERSTAYED_RUNG = "overstayed rung"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with a sentence for people."""

    kind: FindingKind
    state: TcpState
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


@dataclass(frozen=True, slots=True)
class Step:
    """An expected rung beside the rung taken. One of them is None where the other has no counterpart."""

    expected: Rung | None
    taken: Transition | None


@dataclass(frozen=True, slots=True)
class Match:
    """The outcome: findings, expected and taken rungs side by side, and what nobody can have seen.

    `unseen` are required rungs that no look showed but that fit between two looks.
    """

    ladder: Ladder
    findings: tuple[Finding, ...]
    unseen: tuple[TcpState, ...]
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def match(
    ladder: Ladder,
    taken: Sequence[Transition],
    *,
    now: float,
    strict: bool = False,
    segments: Sequence[SegmentEvent] = (),
    sees_resets: bool = False,
) -> Match:
    """Compare `taken`, the transitions of one connection in order, with `ladder`.

    `now` (monotonic seconds) is up to when the last rung has lasted. With `strict`, rungs that may merely
    have been missed count as missing. `segments` are the RSTs that the kernel reported for this endpoint;
    `ladder.reset` is judged only if `sees_resets`, that is if a source that reports RSTs was watching. Else
    they are those of which the proxy knows that no FIN of this endpoint came before.
    """
    aborted = not sees_resets and any(event.kind != "retransmission" for event in segments)
    walk = _Walk(ladder, taken, strict=strict, never=_BEHIND_OWN_FIN if aborted else frozenset())
    walk.run()
    resets = _reset_findings(ladder, segments) if sees_resets else ()
    findings = (*_illegal(taken), *walk.findings, *_overstayed(ladder, taken, now), *resets)
    return Match(ladder, findings, tuple(walk.unseen), tuple(walk.steps))


class _Walk:
    """Goes down expected and taken rungs in parallel."""

    def __init__(
        self, ladder: Ladder, taken: Sequence[Transition], *, strict: bool, never: AbstractSet[TcpState]
    ) -> None:
        self.rungs = ladder.rungs
        self.taken = _without_opening(taken, ladder)
        self.strict = strict
        self.never = never
        self.findings: list[Finding] = []
        self.unseen: list[TcpState] = []
        self.steps: list[Step] = []

    def run(self) -> None:
        left = list(self.taken)
        last: TcpState | None = None
        for index, rung in enumerate(self.rungs):
            step = left[0] if left else None
            if step is not None and step.after is rung.state:
                self.steps.append(Step(rung, left.pop(0)))
            elif not rung.required:
                continue
            elif step is not None and self._fits_unseen(rung, last, step):
                self.unseen.append(rung.state)
                self.steps.append(Step(rung, None))
            else:
                self.findings.append(_missing(rung, last, step))
                self._pair_rest(self.rungs[index:], left)
                return
            last = rung.state
        self._pair_rest((), left)

    def _pair_rest(self, rungs: Sequence[Rung], taken: Sequence[Transition]) -> None:
        self.steps += [Step(rung, step) for rung, step in zip_longest(rungs, taken)]

    def _fits_unseen(self, rung: Rung, last: TcpState | None, step: Transition) -> bool:
        # A gap is where a table was not looked at. An exact step leaves no room for another rung.
        if self.strict or not step.may_hide_rungs or rung.state in self.never:
            return False
        follows = last is None or is_legal(last, rung.state)
        return follows and rung.state is not TcpState.CLOSED and is_reachable(rung.state, step.after)


def _without_opening(taken: Sequence[Transition], ladder: Ladder) -> Sequence[Transition]:
    """Leave out how the connection was opened: closing ladders begin at ESTABLISHED."""
    first = ladder.rungs[0].state
    start = 0
    while start < len(taken) and taken[start].after in _OPENING and taken[start].after is not first:
        start += 1
    return taken[start:]


def _missing(rung: Rung, last: TcpState | None, step: Transition | None) -> Finding:
    where = "first" if last is None else f"after {last}"
    instead = f"found {step.after} instead" if step is not None else "nothing followed so far"
    return Finding(FindingKind.MISSING_RUNG, rung.state, f"expected {rung.state} {where}, {instead}")


def _illegal(taken: Sequence[Transition]) -> Iterator[Finding]:
    for step in taken:
        if step.before is None:
            continue
        allowed = is_reachable if step.may_hide_rungs else is_legal
        if not allowed(step.before, step.after):
            yield Finding(
                FindingKind.ILLEGAL_TRANSITION,
                step.after,
                f"{step.before} to {step.after}, which RFC 9293 section 3.3.2 does not have",
            )


def _overstayed(ladder: Ladder, taken: Sequence[Transition], now: float) -> Iterator[Finding]:
    bounds = {rung.state: rung.at_most for rung in ladder.rungs if rung.at_most is not None}
    for step, following in zip_longest(taken, taken[1:]):
        bound = bounds.get(step.after)
        # Only a stay that is certain counts: from when the state was seen to when it was still seen last.
        stayed = (now if following is None else following.earliest) - step.at
        if bound is not None and stayed > bound:
            yield Finding(
                FindingKind.OVERSTAYED_RUNG,
                step.after,
                f"{step.after} lasted {'over ' if following is None else ''}{format_duration(stayed)}, "
                f"at most {format_duration(bound)} was allowed",
            )


def _reset_findings(ladder: Ladder, segments: Sequence[SegmentEvent]) -> Iterator[Finding]:
    if ladder.reset is None:
        return
    kinds = {event.kind for event in segments}
    if f"reset {ladder.reset}" not in kinds:
        found = ", ".join(sorted(kinds)) or "no reset at all"
        yield Finding(
            FindingKind.MISSING_RUNG,
            TcpState.CLOSED,
            f"expected CLOSED by a reset that this end {ladder.reset}, found {found}",
        )
