"""One round of watching: read events, look at the table, and tell each endpoint's history what was seen.

A round looks first and reads events afterwards again, so that every event older than the look is known
before the look's rows are believed. Not thread-safe, and it must not know threads, pace or waiting:
watcher.py calls it.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet

from harness.rows import Endpoint, Owner, Snapshot, SocketRow
from harness.sources.base import TableSource
from harness.sources.choice import Sources
from harness.states import TcpState
from harness.transitions import Event, OwnerFound, StateChange, Transition
from harness.watching.far import FarSource
from harness.watching.history import EndpointHistory
from harness.watching.scope import Scope

# Events of endpoints that nobody follows (yet): a short session may be over before anybody has learnt its
# ports. So many endpoints, so many events each.
_EARLIER_ENDPOINTS = 5_000
_EARLIER_EVENTS = 50
# Forgotten endpoints whose TIME-WAIT rows may still be met; a session that old has no row any more.
_FORGOTTEN = 20_000
# The tracepoint holds events back for 0.2 ms to sort them; a look younger than that waits for them.
EVENTS_CATCH_UP = 0.0003
# Rest between two searches for owners, in multiples of what a search takes.
_OWNERS_REST = 20

OwnerFinder = Callable[[set[int]], dict[int, Owner]]


class Rounds:
    """Keeps the histories of the followed endpoints; each call of `do` brings them up to date.

    `scope` says which connections are followed as they appear. `far` are sources in other network
    namespaces: an endpoint that one of them has reported is theirs, and not looked for here any more.
    """

    def __init__(
        self,
        sources: Sources,
        find_owners: OwnerFinder | None = None,
        scope: Scope | None = None,
        far: Sequence[FarSource] = (),
    ) -> None:
        self.sources = sources
        self.far = far
        self.histories: dict[Endpoint, EndpointHistory] = {}
        self.done = 0
        self.changed_at = -math.inf
        self._scope = scope or Scope()
        self._elsewhere: set[Endpoint] = set()
        self._named: set[Endpoint] = set()
        self._forgotten: dict[Endpoint, None] = {}  # as a set that knows which came first
        self._find_owners = find_owners
        self._owners_due = 0.0
        self._earlier: dict[Endpoint, deque[Event]] = {}
        self._narrow()

    def follow(self, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
        """Begin to follow `endpoints`, with what events told about them before; return the new ones."""
        new = [endpoint for endpoint in endpoints if endpoint not in self.histories]
        for endpoint in new:
            self.histories[endpoint] = self._new_history(endpoint)
        self._named.update(new)
        for endpoint in new:
            self.take_in(self._earlier.pop(endpoint, ()))
        self._narrow()
        return new

    def forget(self, endpoints: Iterable[Endpoint]) -> None:
        """Follow `endpoints` no more. What is left of them in the table does not bring them back."""
        for endpoint in endpoints:
            self.histories.pop(endpoint, None)
            self._named.discard(endpoint)
            self._elsewhere.discard(endpoint)
            self._forgotten[endpoint] = None
        while len(self._forgotten) > _FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]

    def take_in(self, events: Iterable[Event]) -> None:
        """Tell each event to the history of its endpoint; those of nobody's are kept for a while."""
        for event in events:
            history = self._history_for(event)
            if history is None:
                self._keep_for_later(event)
            elif isinstance(event, StateChange):
                history.saw_change(event)
            elif isinstance(event, Transition):
                self._elsewhere.add(event.endpoint)
                history.saw_transition(event)
            elif isinstance(event, OwnerFound):
                history.saw_owner(event.owner)
            else:
                history.saw_segment(event)

    def do(self, endpoints: Iterable[Endpoint], *, discover: bool = False) -> None:
        """Look at `endpoints`, and at those where an event left open what only the table can tell.

        With `discover`, the scope is searched for connections that no event has announced.
        """
        before = self._count_transitions()
        self._drain()
        table = self.sources.table
        if table is None:
            for history in self.histories.values():
                history.settle_without_table()
        else:
            dump = self._dump(table) if discover and self._scope else None
            found = self._discover(dump.rows.values()) if dump else []
            waiting = (item.endpoint for item in self.histories.values() if item.awaits_look)
            self._look(table, {*endpoints, *found, *waiting} - self._elsewhere, dump)
        # What the first look shows has not just happened.
        if self._count_transitions() != before and self.done:
            self.changed_at = time.monotonic()
        self.done += 1

    def live(self) -> list[Endpoint]:
        """Endpoints of which more can be seen."""
        return [item.endpoint for item in self.histories.values() if not item.has_ended]

    def table_only(self) -> list[Endpoint]:
        """Endpoints that live on as rows of which no event tells."""
        return [
            item.endpoint for item in self.histories.values() if item.is_table_only and not item.has_ended
        ]

    def ask_far(self) -> None:
        """Have the far sources look now, so that the next round knows all that they know."""
        for source in self.far:
            source.look()

    def has_loose_ends(self) -> bool:
        """Whether another round should follow at once."""
        if self.sources.events is not None and self.sources.events.has_waiting:
            return True
        has_table = self.sources.table is not None
        return has_table and any(item.awaits_look for item in self.histories.values())

    def _look(self, table: TableSource, targets: AbstractSet[Endpoint], dump: Snapshot | None) -> None:
        look = _look_up(table, targets, dump)
        self._drain()
        if self.sources.events is not None and self._disagrees(look):
            time.sleep(EVENTS_CATCH_UP)
            self._drain()
        for endpoint, row in look.rows.items():
            # Reported from elsewhere while we looked here: that it is not here does not mean closed.
            if endpoint not in self._elsewhere:
                self.histories[endpoint].saw_row(row, look, misses_rows=table.misses_rows)
        self._learn_owners()

    def _dump(self, table: TableSource) -> Snapshot:
        """Return the rows of the scope, one for each endpoint: of two, the one that is not a mere rest."""
        began = time.monotonic()
        rows: dict[Endpoint, SocketRow | None] = {}
        for row in table.rows(self._scope.ports):
            is_rest = row.state is TcpState.TIME_WAIT and row.endpoint in rows
            if row.state is not TcpState.LISTEN and not is_rest and self._scope.covers(row.endpoint):
                rows[row.endpoint] = row
        return Snapshot(table.name, began, time.monotonic(), rows)

    def _discover(self, rows: Iterable[SocketRow | None]) -> list[Endpoint]:
        new = [row.endpoint for row in rows if row is not None and self._is_new(row)]
        for endpoint in new:
            self.histories[endpoint] = self._new_history(endpoint)
        return new

    def _is_new(self, row: SocketRow) -> bool:
        is_rest = row.state is TcpState.TIME_WAIT and row.endpoint in self._forgotten
        return row.endpoint not in self.histories and not is_rest

    def _drain(self) -> None:
        if self.sources.events is not None:
            self.take_in(self.sources.events.read())
        for source in self.far:
            self.take_in(source.read())

    def _keep_for_later(self, event: Event) -> None:
        self._earlier.setdefault(event.endpoint, deque(maxlen=_EARLIER_EVENTS)).append(event)
        if len(self._earlier) > _EARLIER_ENDPOINTS:
            del self._earlier[next(iter(self._earlier))]

    def _narrow(self) -> None:
        # A busy machine has many more events than those of the followed connections.
        ports = self._scope.ports | {endpoint.local.port for endpoint in self._named}
        if self.sources.events is not None and ports and not self._scope.everything:
            self.sources.events.narrow(ports)

    def _history_for(self, event: Event) -> EndpointHistory | None:
        endpoint = event.endpoint
        # An RST can be sent for a connection that never was: only a state makes an endpoint.
        is_state = isinstance(event, StateChange)
        if is_state and endpoint not in self.histories and self._scope.covers(endpoint):
            self.histories[endpoint] = self._new_history(endpoint)
        return self.histories.get(endpoint)

    def _new_history(self, endpoint: Endpoint) -> EndpointHistory:
        events = self.sources.events
        return EndpointHistory(endpoint, sees_resets=events is not None and events.sees_resets)

    def _disagrees(self, look: Snapshot) -> bool:
        return any(
            self.histories[endpoint].state is not (None if row is None else row.state)
            for endpoint, row in look.rows.items()
        )

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

    def _count_transitions(self) -> int:
        return sum(len(item.transitions) for item in self.histories.values())


def _look_up(table: TableSource, targets: AbstractSet[Endpoint], dump: Snapshot | None) -> Snapshot:
    """Look at `targets`. A dump answers for those it holds; for those it does not, it proves nothing."""
    if dump is None:
        return table.look(targets)
    held = {endpoint: row for endpoint, row in dump.rows.items() if endpoint in targets}
    look = table.look(targets - held.keys())
    return Snapshot(look.source, dump.began, look.ended, {**held, **look.rows})
