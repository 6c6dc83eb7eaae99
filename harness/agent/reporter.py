"""After each round of the watcher: what is new in its histories, told once and in order.

Histories that ended a while ago are forgotten, so that an agent that runs for days does not grow. Called on
whatever thread has done the round. This module must not know who is told, nor how.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.rows import Endpoint
from harness.states import TcpState
from harness.transitions import FarEvent, OwnerFound
from harness.watching.history import EndpointHistory
from harness.watching.watcher import Watcher

# Long enough for a test that has just begun to look at what it did; TIME-WAIT alone takes 60 s before it.
_KEEP_ENDED = 60.0
_KEEP_AT_MOST = 2_000


@dataclass(slots=True)
class _Told:
    """How much of a history has been told."""

    transitions: int = 0
    segments: int = 0
    owner: bool = False


class Reporter:
    """Call it after each round. `tell` is given new events, and the endpoints that are forgotten."""

    def __init__(
        self, watcher: Watcher, tell: Callable[[Sequence[FarEvent], Sequence[Endpoint]], object]
    ) -> None:
        self._watcher = watcher
        self._tell = tell
        self._told: dict[Endpoint, _Told] = {}
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Tell what is new."""
        with self._lock:
            histories = dict(self._watcher.rounds.histories)
            news = [event for history in histories.values() for event in self._new_in(history)]
            old = list(_no_longer_of_interest(histories.values(), time.monotonic()))
            if news or old:
                self._tell(sorted(news, key=_moment), old)
            self._forget(old)

    def _new_in(self, history: EndpointHistory) -> Iterator[FarEvent]:
        told = self._told.setdefault(history.endpoint, _Told())
        transitions, segments = list(history.transitions), list(history.segments)
        yield from transitions[told.transitions :]
        yield from segments[told.segments :]
        if history.owner is not None and transitions and not told.owner:
            told.owner = True
            yield OwnerFound(history.endpoint, history.owner)
        told.transitions, told.segments = len(transitions), len(segments)

    def _forget(self, endpoints: Iterable[Endpoint]) -> None:
        gone = list(endpoints)
        if gone:
            self._watcher.forget(gone)
        for endpoint in gone:
            self._told.pop(endpoint, None)


def _moment(event: FarEvent) -> float:
    # An owner goes last: it is known of an endpoint that has been told.
    return float("inf") if isinstance(event, OwnerFound) else event.at


def _no_longer_of_interest(histories: Iterable[EndpointHistory], now: float) -> Iterator[Endpoint]:
    """Those that ended long ago; of too many, the oldest that have ended or only wait in TIME-WAIT.

    Others are never forgotten: they would be found again at once.
    """
    known = list(histories)
    over = [history for history in known if history.has_ended or history.state is TcpState.TIME_WAIT]
    surplus = len(known) - _KEEP_AT_MOST
    for history in sorted(over, key=lambda one: (not one.has_ended, one.since or 0.0)):
        is_old = history.has_ended and now - (history.since or now) > _KEEP_ENDED
        if not is_old and surplus <= 0:
            return
        surplus -= 1
        yield history.endpoint
