"""The thread that keeps histories up to date: looks at the table, drains events, wakes whoever waits.

One round looks first and reads events afterwards, so that every event older than the look is known before
the look's rows are believed. All I/O of a watch happens here, on its own thread or on the thread of a
caller who asks for a fresh look, never on both at once. It must not know what anybody waits for.
"""

import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from harness.errors import SourceUnavailableError
from harness.rows import Endpoint, Owner, Snapshot
from harness.sources.base import TableSource
from harness.sources.choice import Sources
from harness.states import TcpState
from harness.transitions import KernelEvent, StateChange
from harness.watching.history import EndpointHistory
from harness.watching.pace import pause

# After a transition the next ones usually follow at once.
_STAYS_URGENT = 0.25
# Events of endpoints that nobody follows (yet): a short session may be over before anybody has learnt its
# ports.
_EARLIER_EVENTS = 20_000
# The tracepoint holds events back for 0.2 ms to sort them; a look younger than that waits for them.
_EVENTS_CATCH_UP = 0.0003

# Rest between two searches for owners, in multiples of what a search takes.
_OWNERS_REST = 20

OwnerFinder = Callable[[set[int]], dict[int, Owner]]


class Watcher:
    """Follows endpoints until it is stopped. Public methods may be called from any thread."""

    def __init__(
        self,
        sources: Sources,
        find_owners: OwnerFinder | None = None,
        ports: frozenset[int] = frozenset(),
    ) -> None:
        self.sources = sources
        self.ports = ports
        self.histories: dict[Endpoint, EndpointHistory] = {}
        self.failure: SourceUnavailableError | None = None
        self.rounds = 0
        self.changed_at = time.monotonic()
        self._find_owners = find_owners
        self._round_lock = threading.RLock()
        self._news = threading.Condition()
        self._callbacks: set[Callable[[], None]] = set()
        self._waiting = 0
        self._full_look_due = 0.0
        self._owners_due = 0.0
        self._stopping = False
        self._earlier: deque[KernelEvent] = deque(maxlen=_EARLIER_EVENTS)
        self._wake_end, self._wake_here = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="harness watcher", daemon=True)

    def start(self) -> None:
        """Take the first look, so that states are known at once, and go on in the background."""
        try:
            self.refresh()
        except SourceUnavailableError:
            self._close()
            raise
        self._thread.start()

    def stop(self) -> None:
        """Take a last look, so that nothing that happened before this call is missing, and end."""
        self._stopping = True
        self._wake()
        self._thread.join()
        try:
            if self.failure is None:
                self.refresh()
        finally:
            self._close()

    def follow(self, endpoints: Iterable[Endpoint]) -> None:
        """Begin to follow `endpoints`, with what events told about them before."""
        with self._round_lock:
            new = [endpoint for endpoint in endpoints if endpoint not in self.histories]
            for endpoint in new:
                self.histories[endpoint] = EndpointHistory(endpoint)
            earlier = [event for event in self._earlier if event.endpoint in set(new)]
            self._tell(earlier)
            if new and self.rounds:
                self._round(new, is_full=False)

    def refresh(self) -> None:
        """Look at the table and read events now, on the calling thread."""
        with self._round_lock:
            if not self._is_closed():
                self._round(self._live())
        self._announce()

    @contextmanager
    def urgently(self) -> Iterator[None]:
        """Look as often as reasonable while the body runs."""
        self._waiting += 1
        self._wake()
        try:
            yield
        finally:
            self._waiting -= 1

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` on the watcher's thread after each round while the body runs."""
        self._callbacks.add(callback)
        try:
            yield
        finally:
            self._callbacks.discard(callback)

    def wait_for_round(self, seen_rounds: int, timeout: float) -> None:
        """Block until more than `seen_rounds` rounds are done, the watcher failed, or `timeout` is over."""
        with self._news:
            self._news.wait_for(lambda: self.rounds > seen_rounds or self.failure is not None, timeout)

    def _run(self) -> None:
        rest = 0.0
        while not self._stopping:
            self._rest(rest)
            try:
                rest = self._timed_round()
            except SourceUnavailableError as error:
                self.failure = error
                self._announce()
                return
            self._announce()

    def _timed_round(self) -> float:
        """Do a round and return how long to rest. With events, the whole table is looked at only when due."""
        has_events = self.sources.events is not None
        with self._round_lock:
            began = time.monotonic()
            is_due = not has_events or began >= self._full_look_due
            self._round(self._live() if is_due else self._table_only(), is_full=is_due)
            ended = time.monotonic()
        urgent = self._waiting > 0 or ended - self.changed_at < _STAYS_URGENT
        if is_due:
            self._full_look_due = ended + pause(ended - began, urgent=urgent, has_events=has_events)
        if self._has_loose_ends():
            return _EVENTS_CATCH_UP
        rest = max(0.0, self._full_look_due - ended)
        if self._table_only():
            rest = min(rest, pause(ended - began, urgent=urgent, has_events=False))
        return rest

    def _has_loose_ends(self) -> bool:
        events = self.sources.events
        if events is not None and events.has_waiting:
            return True
        has_table = self.sources.table is not None
        return has_table and any(item.awaits_look for item in self.histories.values())

    def _rest(self, seconds: float) -> None:
        """Wait until there are events, until somebody gets impatient, or `seconds` at most."""
        events = self.sources.events
        listened: list[int] = [self._wake_end.fileno()]
        if events is not None:
            listened.append(events.fileno())
        ready, _, _ = select.select(listened, [], [], seconds)
        if self._wake_end.fileno() in ready:
            self._wake_end.recv(4096)

    def _wake(self) -> None:
        self._wake_here.send(b"!")

    def _live(self) -> list[Endpoint]:
        return [item.endpoint for item in self.histories.values() if not item.has_ended]

    def _close(self) -> None:
        self.sources.close()
        self._wake_end.close()
        self._wake_here.close()

    def _table_only(self) -> list[Endpoint]:
        """Endpoints that live on as rows of which no event tells."""
        return [
            item.endpoint for item in self.histories.values() if item.is_table_only and not item.has_ended
        ]

    def _is_closed(self) -> bool:
        return self._wake_here.fileno() < 0

    def _round(self, endpoints: Iterable[Endpoint], *, is_full: bool = True) -> None:
        """Look at `endpoints`, and at those where an event left open what only the table can tell."""
        before = self._count_transitions()
        self._drain()
        if self.ports and self.sources.table is not None and is_full:
            endpoints = {*endpoints, *self._discover(self.sources.table)}
        targets = {*endpoints, *(item.endpoint for item in self.histories.values() if item.awaits_look)}
        if self.sources.table is None:
            for history in self.histories.values():
                history.settle_without_table()
        elif targets:
            self._look(self.sources.table, targets)
        if self._count_transitions() != before:
            self.changed_at = time.monotonic()
        self.rounds += 1

    def _discover(self, table: TableSource) -> list[Endpoint]:
        """Begin to follow the connections of the watched ports that nobody has named."""
        rows = (row for row in table.rows(self.ports) if row.state is not TcpState.LISTEN)
        new = [row.endpoint for row in rows if row.endpoint not in self.histories]
        for endpoint in new:
            self.histories[endpoint] = EndpointHistory(endpoint)
        return new

    def _look(self, table: TableSource, targets: Iterable[Endpoint]) -> None:
        look = table.look(targets)
        self._drain()
        if self.sources.events is not None and self._disagrees(look):
            time.sleep(_EVENTS_CATCH_UP)
            self._drain()
        for endpoint, row in look.rows.items():
            self.histories[endpoint].saw_row(row, look, misses_rows=table.misses_rows)
        self._learn_owners()

    def _drain(self) -> None:
        if self.sources.events is not None:
            self._tell(self.sources.events.read())

    def _count_transitions(self) -> int:
        return sum(len(item.transitions) for item in self.histories.values())

    def _disagrees(self, look: Snapshot) -> bool:
        return any(
            self.histories[endpoint].state is not (None if row is None else row.state)
            for endpoint, row in look.rows.items()
        )

    def _tell(self, events: Iterable[KernelEvent]) -> None:
        for event in events:
            history = self.histories.get(event.endpoint)
            if history is None and self._is_of_watched_port(event.endpoint):
                history = self.histories[event.endpoint] = EndpointHistory(event.endpoint)
            if history is None:
                self._earlier.append(event)
            elif isinstance(event, StateChange):
                history.saw_change(event)
            else:
                history.saw_segment(event)

    def _is_of_watched_port(self, endpoint: Endpoint) -> bool:
        return endpoint.local.port in self.ports or endpoint.remote.port in self.ports

    def _learn_owners(self) -> None:
        """Ask who holds sockets whose holder is not known yet, once for each inode."""
        if self._find_owners is None or time.monotonic() < self._owners_due:
            return
        unknown = {
            item.row.inode: item
            for item in self.histories.values()
            if item.owner is None and item.row is not None and item.row.inode and not item.owner_was_asked
        }
        if not unknown:
            return
        began = time.monotonic()
        found = self._find_owners(set(unknown))
        ended = time.monotonic()
        # It reads all of /proc: with many new connections a second it must not become the main work.
        self._owners_due = ended + _OWNERS_REST * (ended - began)
        for inode, item in unknown.items():
            item.saw_owner(found.get(inode))

    def _announce(self) -> None:
        with self._news:
            self._news.notify_all()
        for callback in list(self._callbacks):
            callback()
