"""What is known of one endpoint: its transitions so far, from rows and kernel events, each with its evidence.

Sans-I/O: it is told rows and events and decides what they prove. Rules: the tracepoint announces every
transition but not TIME-WAIT (the socket's row moves to a smaller structure, and the event says CLOSED), so
there the table decides; a look at the table may skip rungs, and those that lie on every legal way are
inferred; a second socket with the same addresses ends the history instead of continuing it. It must not
know where its input comes from.
"""

import math
from collections.abc import Iterator

from harness.ladders.legal import is_reachable, proven_between
from harness.rows import Endpoint, Owner, Snapshot, SocketRow
from harness.states import TcpState
from harness.transitions import Evidence, Inferred, Observed, SegmentEvent, StateChange, Transition

S = TcpState

# From these the socket may go on as a TIME-WAIT or FIN-WAIT-2 row although the tracepoint says CLOSED.
_LEFT_WITHOUT_RESET = "leaving the table without a reset"
_MAY_LEAVE_A_ROW = frozenset({S.FIN_WAIT_2, S.CLOSING})


class EndpointHistory:
    """The transitions of one connection's end, from the first look to CLOSED.

    `sees_resets`: RSTs are reported too, so that none having been reported means that there was none.
    `is_reused`: a later socket has the same addresses; it is not followed. `owner_was_asked`: the holder
    was looked for, in vain if `owner` is None.
    """

    def __init__(self, endpoint: Endpoint, *, sees_resets: bool = False) -> None:
        self.endpoint = endpoint
        self._sees_resets = sees_resets
        self.transitions: list[Transition] = []
        self.segments: list[SegmentEvent] = []
        self.owner: Owner | None = None
        self.row: SocketRow | None = None
        self.is_reused = False
        self.owner_was_asked = False
        self._outlived_socket = False
        self._left_table: StateChange | None = None
        self._last_event_at = -math.inf
        self._last_look: float | None = None
        self._looks_without_row = 0

    @property
    def state(self) -> TcpState | None:
        """The state now; None as long as no source has shown this endpoint."""
        return self.transitions[-1].after if self.transitions else None

    @property
    def since(self) -> float | None:
        """When the state now was first seen, monotonic seconds."""
        return self.transitions[-1].at if self.transitions else None

    @property
    def has_ended(self) -> bool:
        """Whether nothing can follow any more."""
        return self.state is S.CLOSED

    @property
    def awaits_look(self) -> bool:
        """Whether an event left open what only the table can tell: who owns it, or what CLOSED means."""
        is_new = self._last_look is None and self.state is S.ESTABLISHED
        return self._left_table is not None or is_new

    @property
    def is_table_only(self) -> bool:
        """Whether the row lives on without its socket, so that no event will tell that it moves on."""
        return self._outlived_socket and self.state is S.FIN_WAIT_2

    def reached(self, state: TcpState) -> Transition | None:
        """Return the transition that first led to `state`, whether seen or inferred."""
        return next((step for step in self.transitions if step.after is state), None)

    def saw_row(self, row: SocketRow | None, look: Snapshot, *, misses_rows: bool = False) -> None:
        """Take in what a look at the table showed."""
        if look.began <= self._last_event_at:
            return  # an event that is younger than this look has overtaken it
        earliest, self._last_look = self._last_look, look.began
        if row is None:
            self._looks_without_row += 1
            if misses_rows and self._looks_without_row < 2:
                return
            self._saw_absence(look, earliest)
        else:
            self._looks_without_row = 0
            self._saw_presence(row, look, earliest)

    def saw_change(self, change: StateChange) -> None:
        """Take in a transition that the kernel announced."""
        if self.has_ended or self.is_reused:
            return
        if not self._joins(change):
            return
        self._last_event_at = change.at
        if change.after is S.CLOSED and change.before in _MAY_LEAVE_A_ROW:
            self._left_table = change
        else:
            self._step(change.after, change.at, change.at, Observed(change.source, exact=True))

    def saw_transition(self, step: Transition) -> None:
        """Take in a transition that another history of this endpoint, kept elsewhere, has worked out.

        One that is known already is no news: a source that was lost and found again tells all from its start.
        """
        if step.after is self.state or self.has_ended or self.is_reused:
            return
        if self.state is not None and step.before is not self.state:
            # That history began later than this one ends: what is between them was seen by nobody.
            if not is_reachable(self.state, step.after):
                self._end_by_reuse(step.at)
            else:
                self._step(step.after, step.at, self._last_seen(), step.evidence)
        else:
            self.transitions.append(step)
        self.owner = step.owner or self.owner

    def saw_segment(self, event: SegmentEvent) -> None:
        """Take in an RST or a retransmission."""
        if not self.is_reused:
            self.segments.append(event)

    def saw_owner(self, owner: Owner | None) -> None:
        """Take in who holds the socket; None: nobody that this user may see."""
        self.owner_was_asked = True
        self.owner = owner or self.owner

    def settle_without_table(self) -> None:
        """Decide what an event left open when there is no table to ask: without an RST it is TIME-WAIT."""
        change, self._left_table = self._left_table, None
        if change is None:
            return
        if self._had_reset():
            self._step(S.CLOSED, change.at, change.at, Observed(change.source, exact=True))
        else:
            self._step(S.TIME_WAIT, change.at, change.at, Inferred(_LEFT_WITHOUT_RESET))

    def _joins(self, change: StateChange) -> bool:
        """Bring the history up to `change.before`; False if the event is old news or of another socket."""
        if self.state is None:
            opens = change.before in {S.CLOSED, S.LISTEN}
            if not opens:
                self._step(change.before, change.at, -math.inf, Observed(change.source, exact=True))
            return True
        if self.state is change.before:
            return True
        if change.at <= self._last_seen():
            return False  # a look at the table has shown it already
        if is_reachable(self.state, change.before) and change.before is not S.CLOSED:
            self._step(change.before, change.at, self._last_seen(), Inferred(str(change.after)))
            return True
        self._end_by_reuse(change.at)
        return False

    def _saw_absence(self, look: Snapshot, earliest: float | None) -> None:
        self.row = None
        if self.state is None or self.has_ended:
            return
        if self._left_table is not None and self._sees_resets and not self._had_reset():
            # An RST that hits TIME-WAIT ends it at once (RFC 1337), before a look could show it; but
            # without an RST before, FIN-WAIT-2 and CLOSING lead nowhere else.
            self.settle_without_table()
        if self._left_table is not None:
            self._settle(S.CLOSED, look.source)
        else:
            self._step(S.CLOSED, look.ended, self._since_look(earliest), Observed(look.source))

    def _saw_presence(self, row: SocketRow, look: Snapshot, earliest: float | None) -> None:
        if self._is_another_socket(row):
            self._end_by_reuse(look.ended)
            return
        self.row = row
        self.owner = row.owner or self.owner
        if self._left_table is not None:
            self._settle(row.state, look.source)
        else:
            self._step(row.state, look.ended, self._since_look(earliest), Observed(look.source))

    def _settle(self, state: TcpState, source: str) -> None:
        """Complete an event by what the table shows: the state is the table's, the time is the event's."""
        change, self._left_table = self._left_table, None
        self._outlived_socket = True
        if change is not None and state is not change.before:
            self._step(state, change.at, change.at, Observed(source, exact=True))

    def _had_reset(self) -> bool:
        return any(event.kind != "retransmission" for event in self.segments)

    def _is_another_socket(self, row: SocketRow) -> bool:
        """Whether `row` is a later socket with the same two addresses.

        A socket keeps its inode until it becomes an orphan, and its cookie until it becomes a TIME-WAIT or
        FIN-WAIT-2 row without a socket, which older kernels give a cookie of its own.
        """
        if self.is_reused or self.has_ended:
            return True
        if self.state is None or self.row is None:
            return False
        if self.row.inode and row.inode and self.row.inode != row.inode:
            return True
        if not is_reachable(self.state, row.state):
            return True
        cookies_differ = None not in {self.row.cookie, row.cookie} and self.row.cookie != row.cookie
        return cookies_differ and self.row.state is row.state and row.state is not S.FIN_WAIT_2

    def _end_by_reuse(self, at: float) -> None:
        self.is_reused = True
        self.row = None
        if not self.has_ended:
            self._step(S.CLOSED, at, self._last_seen(), Inferred("another socket with the same addresses"))

    def _since_look(self, earliest: float | None) -> float:
        return -math.inf if earliest is None else max(earliest, self._last_event_at)

    def _last_seen(self) -> float:
        return self.transitions[-1].at if self.transitions else -math.inf

    def _step(self, after: TcpState, at: float, earliest: float, evidence: Evidence) -> None:
        if after is self.state:
            return
        for before, state, why in self._rungs_to(after, evidence):
            self.transitions.append(Transition(self.endpoint, before, state, at, earliest, why, self.owner))

    def _rungs_to(
        self, after: TcpState, evidence: Evidence
    ) -> Iterator[tuple[TcpState | None, TcpState, Evidence]]:
        before = self.state
        # A watch that begins late still knows that a closing connection was established once.
        start = before or S.ESTABLISHED
        if is_reachable(start, after) and not _is_exact(evidence, before):
            between = proven_between(start, after)
            for state in between if before is not None or after is start else (start, *between):
                yield before, state, Inferred(str(after))
                before = state
        yield before, after, evidence


def _is_exact(evidence: Evidence, before: TcpState | None) -> bool:
    return before is not None and isinstance(evidence, Observed) and evidence.exact
