"""The two lines of one session: made when the first toxic comes, changed with the toxics, gone with the last.

Keeps the lines' time, by the session's timers. This module must not know what a stage does, nor how the
session carries out what a toxic wants done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import inf

from ..legs import Leg, LegIO
from ..relay import Flow
from .in_force import InForce
from .line import Line
from .stage import Act
from .stages import has_stage

Later = Callable[[object, float, Callable[[], None]], None]
"""Do something after some seconds, in place of what was asked for under the same key before."""


class Lines:
    """The lines of one session, as far as its flows have any."""

    def __init__(
        self,
        legs: Mapping[Leg, LegIO],
        flows: Mapping[Leg, Flow],
        clock: Callable[[], float],
        *,
        later: Later,
        move: Callable[[Flow], None],
        act: Callable[[Leg, Act], None],
    ) -> None:
        """Make none yet.

        Args:
            legs: where the bytes come from.
            flows: where they go to.
            clock: the time by which they are kept, in seconds.
            later: how to come back to a line.
            move: has a flow take what has come out of its line.
            act: does to the session what a toxic wants, in the line of that leg's bytes.
        """
        self._legs = legs
        self._flows = flows
        self._clock = clock
        self._later = later
        self._move = move
        self._act = act
        self._lines: dict[Leg, Line] = {}

    def change(self, toxics: Iterable[InForce]) -> None:
        """Let these toxics do what they do to bytes, from now on; what those that are gone kept is let go."""
        wanted = [each for each in toxics if has_stage(each)]
        acts = [(leg, act) for leg in Leg for act in self._change(leg, wanted)]
        for leg, act in acts:
            self._act(leg, act)

    def _change(self, leg: Leg, toxics: list[InForce]) -> list[Act]:
        wanted = [each for each in toxics if each.toxic.leg is leg]
        if not wanted and leg not in self._lines:
            return []
        line = self._lines.get(leg) or self._make(leg)
        acts = line.change(wanted, self._clock())
        self._watch_alarm(line)
        return acts

    def _make(self, leg: Leg) -> Line:
        line = Line(leg, self._legs[leg], self, self._clock)
        self._lines[leg] = self._flows[leg].line = line
        return line

    # --- told by a line ---------------------------------------------------------------------------

    def swallowed(self, line: Line, count: int, why: str) -> None:
        """A toxic has lost bytes that had come from the endpoint."""
        self._flows[line.leg].swallowed(count, why)

    def acts(self, line: Line, act: Act) -> None:
        """All that was before this act has been passed on."""
        self._act(line.leg, act)

    def wake(self, line: Line, when: float) -> None:
        """Have the flow take from its line at that time."""
        self._later(("line", line.leg), max(0.0, when - self._clock()), partial(self._woken, line))

    def emptied(self, line: Line) -> None:
        """Do without the line from now on."""
        if self._lines.get(line.leg) is line:
            del self._lines[line.leg]
            self._flows[line.leg].line = None

    # --- called back by the timers ----------------------------------------------------------------

    def _woken(self, line: Line) -> None:
        line.woken()
        self._move(self._flows[line.leg])

    def _watch_alarm(self, line: Line) -> None:
        if line.alarm < inf:
            self._later(("alarm", line.leg), max(0.0, line.alarm - self._clock()), partial(self._ring, line))

    def _ring(self, line: Line) -> None:
        for act in line.ring():
            self._act(line.leg, act)
        self._watch_alarm(line)  # bytes may have moved it since it was watched for
