"""What a watch hands to its user: all its endpoints, checks of both ends, and waiting in two forms.

`Seen` blocks the calling thread, `AsyncSeen` the calling Trio task; every other word is the same in both.
This module must not know where rows come from.
"""

import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from harness.errors import LadderMismatch, NotSettledError, StateNotReachedError, UsageError
from harness.ladders import LadderPair
from harness.rows import Endpoint, RawEndpoint
from harness.transitions import SegmentEvent
from harness.watching.history import EndpointHistory
from harness.watching.seen_endpoint import AsyncSeenEndpoint, SeenEndpoint, SeenEndpointBase
from harness.watching.waiting import Result, wait, wait_async
from harness.watching.watcher import Watcher

_QUIET = 0.1


_End = TypeVar("_End", bound=SeenEndpointBase)


class SeenBase(Generic[_End]):
    """All endpoints of a watch: all that needs no waiting.

    `began` is when the first look was over, monotonic seconds: what was seen earlier was there before the
    watch.
    """

    def __init__(self, watcher: Watcher, make: Callable[[str, EndpointHistory, Watcher], _End]) -> None:
        self._watcher = watcher
        self._make = make
        self.began = time.monotonic()
        self._ends: list[_End] = []

    @property
    def endpoints(self) -> Sequence[_End]:
        """All watched endpoints: those given, in that order, then those that appeared on watched ports."""
        self._take_in_discovered()
        return tuple(self._ends)

    @property
    def client(self) -> _End:
        """The first endpoint."""
        return self._nth(0, "client")

    @property
    def server(self) -> _End:
        """The second endpoint."""
        return self._nth(1, "server")

    @property
    def sources(self) -> Sequence[str]:
        """Names of the sources that watch: the table's, the events', or both."""
        used = self._watcher.rounds.sources
        return tuple(source.name for source in (used.table, used.events) if source is not None)

    @property
    def notes(self) -> Sequence[str]:
        """Which sources could not be used and why, or ceased to work: one sentence each."""
        return self._watcher.notes

    def add(self, *endpoints: Endpoint | RawEndpoint, names: Sequence[str] = ()) -> Sequence[_End]:
        """Watch more endpoints. What the tracepoint told about them before is not lost."""
        wanted = [Endpoint.of(raw) for raw in endpoints]
        self._watcher.follow(wanted)
        first = len(self._ends)
        for index, endpoint in enumerate(wanted):
            name = names[index] if index < len(names) else _default_name(first + index)
            self._ends.append(self._make(name, self._watcher.rounds.histories[endpoint], self._watcher))
        return tuple(self._ends[first:])

    def forget(self, *ends: _End) -> None:
        """Watch these endpoints no more and give their memory back: for watches that outlive many sessions.

        What was seen of them stays readable in the objects at hand.
        """
        self._watcher.forget(end.endpoint for end in ends)
        self._ends = [end for end in self._ends if end not in ends]

    def draw(self) -> str:
        """Return the ladders of all endpoints so far as text."""
        drawn = "\n\n".join(end.draw() for end in self.endpoints)
        return (
            drawn
            or "no connection was seen on the watched ports: they are unused here, or in another namespace"
        )

    def check(self, ladders: LadderPair, *, strict: bool = False) -> None:
        """Check both ends and raise one LadderMismatch that draws every end which failed."""
        failures: list[str] = []
        for end, ladder in ((self.client, ladders.client), (self.server, ladders.server)):
            try:
                end.check(ladder, strict=strict)
            except LadderMismatch as mismatch:
                failures.append(str(mismatch))
        if failures:
            raise LadderMismatch("\n\n".join(failures))

    def _take_in_discovered(self) -> None:
        known = {end.endpoint for end in self._ends}
        for endpoint, history in list(self._watcher.rounds.histories.items()):
            if endpoint not in known:
                self._ends.append(self._make(str(endpoint), history, self._watcher))

    def _nth(self, index: int, name: str) -> _End:
        if index >= len(self._ends):
            raise UsageError(
                f"expected a {name} as endpoint {index + 1}, found {len(self._ends)} endpoints; "
                "give client and server to harness.watch()"
            )
        return self._ends[index]

    def _is_quiet(self, quiet: float, asked_at: float) -> bool | None:
        still_since = max(self._watcher.rounds.changed_at, asked_at)
        return True if time.monotonic() - still_since >= quiet else None

    def _not_settled(self, within: float) -> NotSettledError:
        return NotSettledError(f"expected no endpoint to move any more within {within:g} s\n{self.draw()}")

    def _no_answer(self, within: float) -> StateNotReachedError:
        return StateNotReachedError(f"expected an answer within {within:g} s, found none\n{self.draw()}")


class Seen(SeenBase[SeenEndpoint]):
    """All endpoints of a watch, for threads."""

    def ask_agents(self) -> None:
        """Have the agents look, if there are any: on return, what there was to be seen there is seen."""
        if self._watcher.rounds.far:
            self._watcher.refresh()

    def testify(self, event: SegmentEvent) -> None:
        """Take in an RST that somebody else knows of, for ends whose segments nobody watches."""
        self._watcher.testify(event)

    def wait_for_news(self, timeout: float) -> None:
        """Return after the next look, or after `timeout` seconds. Raises what ended the watch, if so."""
        self._watcher.wait_for_round(self._watcher.rounds.done, timeout)
        if self._watcher.failure is not None:
            raise self._watcher.failure

    def settled(self, *, within: float, quiet: float = _QUIET) -> None:
        """Wait until no endpoint has changed its state for `quiet` seconds. Raises NotSettledError."""
        asked_at = time.monotonic()
        if not wait(self._watcher, lambda: self._is_quiet(quiet, asked_at), within):
            raise self._not_settled(within)

    def wait_until(self, answer: Callable[[], Result | None], *, within: float) -> Result:
        """Ask `answer` after each look and return its first answer that is not None.

        For what is not one endpoint's state: that a connection has appeared on a watched port, for example.
        Raises StateNotReachedError, with all ladders so far, after `within` seconds.
        """
        found = wait(self._watcher, answer, within)
        if found is None:
            raise self._no_answer(within)
        return found


class AsyncSeen(SeenBase[AsyncSeenEndpoint]):
    """All endpoints of a watch, for Trio tasks."""

    async def settled(self, *, within: float, quiet: float = _QUIET) -> None:
        """Wait until no endpoint has changed its state for `quiet` seconds. Raises NotSettledError."""
        asked_at = time.monotonic()
        if not await wait_async(self._watcher, lambda: self._is_quiet(quiet, asked_at), within):
            raise self._not_settled(within)

    async def wait_until(self, answer: Callable[[], Result | None], *, within: float) -> Result:
        """Ask `answer` after each look and return its first answer that is not None.

        For what is not one endpoint's state: that a connection has appeared on a watched port, for example.
        Raises StateNotReachedError, with all ladders so far, after `within` seconds.
        """
        found = await wait_async(self._watcher, answer, within)
        if found is None:
            raise self._no_answer(within)
        return found


def _default_name(index: int) -> str:
    return ("client", "server")[index] if index < 2 else f"endpoint {index + 1}"
