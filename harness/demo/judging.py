"""Whether both ends were seen in the states of a step at one and the same moment, and if not, why not.

Sans-I/O: it reads the two ends' transitions. A state counts where a source showed it; a rung that only
follows from a later one does not. This module must not know how anybody waits for a state.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from harness.demo.walks import Step
from harness.rows import Owner
from harness.states import TcpState
from harness.transitions import Inferred, Track


class Status(StrEnum):
    """What became of a step."""

    OBSERVED = "observed"
    MISSED = "not observed"
    NOT_WAITED_FOR = "not waited for"


@dataclass(frozen=True, slots=True)
class EndSeen:
    """What was expected of one end, what was observed (None: no source shows it), and who holds it."""

    expected: TcpState
    observed: TcpState | None
    seen_by: str = ""
    owner: Owner | None = None

    @property
    def ok(self) -> bool:
        """Whether it is as expected."""
        return self.observed is self.expected


@dataclass(frozen=True, slots=True)
class Outcome:
    """One step as it went.

    `at` is when both states held together, or when the wait for them ended, in seconds since the session
    opened; None if nobody waited.
    """

    step: Step
    status: Status
    client: EndSeen
    server: EndSeen
    at: float | None
    reason: str = ""


def together(step: Step, client: Track, server: Track, since: float) -> float | None:
    """Return the first moment from `since` on at which both ends were seen in the step's states, if any."""
    moments = [
        max(began, started, since)
        for began, ended in _stays(client, step.client)
        for started, stopped in _stays(server, step.server)
        if max(began, started, since) < min(ended, stopped)
    ]
    return min(moments, default=None)


def seen(track: Track, expected: TcpState, at: float | None, owner: Owner | None = None) -> EndSeen:
    """Return what was seen of an end, held by `owner`, at the moment `at`; None: what was seen of it last."""
    known = [step for step in track.transitions if at is None or step.at <= at]
    if not known:
        return EndSeen(expected, None)
    return EndSeen(expected, known[-1].after, str(known[-1].evidence), owner)


def why_not(name: str, track: Track, expected: TcpState) -> str:
    """Return a clause that says what is wrong with this end; "" if it is, or was, as expected."""
    if not track.transitions:
        return (
            f"nothing of the {name}'s end was seen: it is elsewhere, or has not moved since the watch began"
        )
    now = track.transitions[-1].after
    step = next((step for step in track.transitions if step.after is expected), None)
    if step is None:
        return f"the {name} did not reach {expected}: it is in {now}"
    if isinstance(step.evidence, Inferred):
        return f"{expected} of the {name} was {step.evidence}, not seen"
    return "" if now is expected else f"the {name} has gone on to {now} already"


def _stays(track: Track, state: TcpState) -> Iterator[tuple[float, float]]:
    steps = track.transitions
    for index, step in enumerate(steps):
        if step.after is state and not isinstance(step.evidence, Inferred):
            yield step.at, steps[index + 1].at if index + 1 < len(steps) else math.inf
