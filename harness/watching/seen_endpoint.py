"""One endpoint of a watch as its user sees it: state, history, checks, and waiting in two forms.

`SeenEndpoint` blocks the calling thread, `AsyncSeenEndpoint` the calling Trio task; every other word is the
same. This module must not know where rows come from: it reads a history and asks the watcher for rounds.
"""

import time
from collections.abc import Sequence

from harness.errors import LadderMismatch, StateNotReachedError
from harness.ladders import Ladder, Match, as_ladder, match
from harness.ladders.legal import is_reachable
from harness.rows import Endpoint, Owner, SocketRow
from harness.states import TcpState, parse_state
from harness.transitions import SegmentEvent, Transition
from harness.watching.history import EndpointHistory
from harness.watching.waiting import wait, wait_async
from harness.watching.watcher import Watcher


class SeenEndpointBase:
    """One endpoint of a watch: all that needs no waiting."""

    def __init__(self, name: str, history: EndpointHistory, watcher: Watcher) -> None:
        self.name = name
        self._history = history
        self._watcher = watcher

    @property
    def endpoint(self) -> Endpoint:
        """Its two addresses."""
        return self._history.endpoint

    @property
    def state(self) -> TcpState | None:
        """The state at the last look; None if no source has ever shown this endpoint."""
        return self._history.state

    @property
    def since(self) -> float | None:
        """When that state was first seen, seconds of the monotonic clock."""
        return self._history.since

    @property
    def owner(self) -> Owner | None:
        """Who holds the socket, or held it last; None if unknown (another user's process)."""
        return self._history.owner

    @property
    def row(self) -> SocketRow | None:
        """The row at the last look, None if there was none."""
        return self._history.row

    @property
    def transitions(self) -> Sequence[Transition]:
        """All transitions so far, in order, each with its evidence."""
        return tuple(self._history.transitions)

    @property
    def segments(self) -> Sequence[SegmentEvent]:
        """RSTs and retransmissions that the kernel reported; always empty without the tracepoint."""
        return tuple(self._history.segments)

    def match(self, ladder: Ladder | str, *, strict: bool = False) -> Match:
        """Compare what has happened up to now with `ladder`, without raising."""
        self._watcher.refresh()
        events = self._watcher.rounds.sources.events
        return match(
            as_ladder(ladder),
            self._history.transitions,
            now=time.monotonic(),
            strict=strict,
            segments=self._history.segments,
            sees_resets=events is not None and events.sees_resets,
        )

    def check(self, ladder: Ladder | str, *, strict: bool = False) -> Match:
        """Raise LadderMismatch, which draws expected beside observed, unless the endpoint took `ladder`.

        With `strict`, rungs that were neither seen nor proven count as missing; without it a table-only watch
        may have missed those shorter than the time between two looks.
        """
        found = self.match(ladder, strict=strict)
        if not found.ok:
            raise LadderMismatch(self._explain(found))
        return found

    def draw(self) -> str:
        """Return the ladder so far as text."""
        from harness.drawing.descent import draw_descent

        return draw_descent(self.name, self._history, notes=self._watcher.notes)

    def _explain(self, found: Match) -> str:
        from harness.drawing.descent import draw_mismatch

        return draw_mismatch(self.name, found, self._history, notes=self._watcher.notes)

    def _reached(self, state: TcpState) -> Transition | None:
        """Return how `state` was reached; None if it still can be; raise if it cannot any more."""
        if (step := self._history.reached(state)) is not None:
            return step
        now = self._history.state
        if self._history.is_reused or (now is not None and not is_reachable(now, state)):
            raise StateNotReachedError(f"{state} can no longer be reached from {now}\n{self.draw()}")
        return None

    def _not_reached(self, state: TcpState, within: float) -> StateNotReachedError:
        never = (
            ""
            if self.state is not None
            else (
                f"\nno row of {self.endpoint} was ever seen: it was closed before the watch began, "
                "or lives on another machine or in another network namespace (watch there, or give pid=)"
            )
        )
        found = self.state or "no row"
        return StateNotReachedError(
            f"{self.name}: expected {state} within {within:g} s, found {found}{never}\n{self.draw()}"
        )


class SeenEndpoint(SeenEndpointBase):
    """One endpoint of a watch, for threads."""

    def wait_for(self, state: TcpState | str, *, within: float) -> Transition:
        """Return as soon as `state` is reached, or was since the watch began; wait `within` seconds at most.

        Raises StateNotReachedError (an AssertionError) with the ladder so far: time is over, or the state can
        no longer be reached.
        """
        wanted = parse_state(state)
        step = wait(self._watcher, lambda: self._reached(wanted), within)
        if step is None:
            raise self._not_reached(wanted, within)
        return step


class AsyncSeenEndpoint(SeenEndpointBase):
    """One endpoint of a watch, for Trio tasks."""

    async def wait_for(self, state: TcpState | str, *, within: float) -> Transition:
        """Return as soon as `state` is reached, or was since the watch began; wait `within` seconds at most.

        Raises StateNotReachedError (an AssertionError) with the ladder so far: time is over, or the state can
        no longer be reached.
        """
        wanted = parse_state(state)
        step = await wait_async(self._watcher, lambda: self._reached(wanted), within)
        if step is None:
            raise self._not_reached(wanted, within)
        return step
