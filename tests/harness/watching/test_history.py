"""What an endpoint's history makes of rows and kernel events, told without any socket."""

from harness.rows import Endpoint, Owner, Snapshot, SocketRow
from harness.states import TcpState as S
from harness.transitions import Inferred, Observed, SegmentEvent, StateChange
from harness.watching.history import EndpointHistory

ENDPOINT = Endpoint.of((("127.0.0.1", 5000), ("127.0.0.1", 80)))


class Teller:
    """Tells a history rows and events at times of the test's choosing."""

    def __init__(self, *, misses_rows: bool = False, sees_resets: bool = False) -> None:
        self.history = EndpointHistory(ENDPOINT, sees_resets=sees_resets)
        self.misses_rows = misses_rows

    def row(self, at: float, state: S | None, inode: int = 7, cookie: int | None = 1) -> None:
        row = SocketRow(ENDPOINT, state, "table", inode=inode, cookie=cookie) if state else None
        look = Snapshot("table", at, at + 0.01, {ENDPOINT: row})
        self.history.saw_row(row, look, misses_rows=self.misses_rows)

    def event(self, at: float, before: S, after: S) -> None:
        self.history.saw_change(StateChange(ENDPOINT, before, after, at, "events"))

    @property
    def states(self) -> list[S]:
        return [step.after for step in self.history.transitions]

    @property
    def inferred(self) -> list[S]:
        return [step.after for step in self.history.transitions if isinstance(step.evidence, Inferred)]


def test_looks_at_the_table_become_transitions() -> None:
    tell = Teller()
    for at, state in enumerate((S.ESTABLISHED, S.ESTABLISHED, S.CLOSE_WAIT, S.LAST_ACK, None)):
        tell.row(at, state)
    assert tell.states == [S.ESTABLISHED, S.CLOSE_WAIT, S.LAST_ACK, S.CLOSED]
    assert tell.inferred == []


def test_a_sampled_transition_happened_between_the_two_looks() -> None:
    tell = Teller()
    tell.row(1, S.ESTABLISHED)
    tell.row(2, S.CLOSE_WAIT)
    step = tell.history.transitions[-1]
    assert (step.earliest, step.at) == (1, 2.01)
    assert step.may_hide_rungs


def test_a_rung_that_must_have_been_passed_is_inferred() -> None:
    tell = Teller()
    tell.row(1, S.ESTABLISHED)
    tell.row(2, S.FIN_WAIT_2)
    assert tell.states == [S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2]
    assert tell.inferred == [S.FIN_WAIT_1]


def test_a_rung_that_need_not_have_been_passed_is_not_inferred() -> None:
    tell = Teller()
    tell.row(1, S.ESTABLISHED)
    tell.row(2, S.TIME_WAIT, inode=0)
    assert tell.states == [S.ESTABLISHED, S.FIN_WAIT_1, S.TIME_WAIT]


def test_a_watch_that_begins_late_knows_that_the_connection_was_established() -> None:
    tell = Teller()
    tell.row(1, S.FIN_WAIT_2)
    assert tell.states == [S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2]
    assert tell.inferred == [S.ESTABLISHED, S.FIN_WAIT_1]


def test_no_row_ever_is_not_called_closed() -> None:
    tell = Teller()
    tell.row(1, None)
    tell.row(2, None)
    assert tell.history.state is None


def test_a_source_that_can_miss_rows_must_miss_one_twice_before_it_is_gone() -> None:
    tell = Teller(misses_rows=True)
    for at, state in enumerate((S.ESTABLISHED, None, S.ESTABLISHED, None)):
        tell.row(at, state)
    assert tell.states == [S.ESTABLISHED]
    tell.row(9, None)
    assert tell.states == [S.ESTABLISHED, S.CLOSED]


def test_events_become_exact_transitions() -> None:
    tell = Teller()
    tell.row(1, S.ESTABLISHED)
    tell.event(2, S.ESTABLISHED, S.CLOSE_WAIT)
    tell.event(3, S.CLOSE_WAIT, S.LAST_ACK)
    tell.event(4, S.LAST_ACK, S.CLOSED)
    assert tell.states == [S.ESTABLISHED, S.CLOSE_WAIT, S.LAST_ACK, S.CLOSED]
    assert [step.at for step in tell.history.transitions[1:]] == [2, 3, 4]
    assert not any(step.may_hide_rungs for step in tell.history.transitions[1:])


def test_time_wait_is_taken_from_the_table_at_the_time_of_the_event() -> None:
    tell = Teller()
    tell.row(1, S.FIN_WAIT_2)
    tell.event(2, S.FIN_WAIT_2, S.CLOSED)
    assert tell.history.awaits_look
    tell.row(3, S.TIME_WAIT, inode=0)
    step = tell.history.transitions[-1]
    assert (step.after, step.at) == (S.TIME_WAIT, 2)
    assert not step.may_hide_rungs


def test_closed_by_event_and_absent_from_the_table_is_closed() -> None:
    tell = Teller()
    tell.row(1, S.FIN_WAIT_2)
    tell.event(2, S.FIN_WAIT_2, S.CLOSED)
    tell.row(3, None)
    assert tell.states[-1] is S.CLOSED


def test_a_time_wait_that_a_reset_ended_before_a_look_is_inferred() -> None:
    tell = Teller(sees_resets=True)
    tell.row(1, S.FIN_WAIT_2)
    tell.event(2, S.FIN_WAIT_2, S.CLOSED)
    tell.row(3, None)
    assert tell.states[-2:] == [S.TIME_WAIT, S.CLOSED]
    assert S.TIME_WAIT in tell.inferred


def test_a_reset_in_fin_wait_2_leads_to_closed_without_time_wait() -> None:
    tell = Teller(sees_resets=True)
    tell.row(1, S.FIN_WAIT_2)
    tell.history.saw_segment(SegmentEvent("reset received", ENDPOINT, 2, "events"))
    tell.event(2, S.FIN_WAIT_2, S.CLOSED)
    tell.row(3, None)
    assert tell.states[-2:] == [S.FIN_WAIT_2, S.CLOSED]


def test_an_orphan_whose_row_outlives_its_socket_stays_in_fin_wait_2() -> None:
    tell = Teller()
    tell.row(1, S.FIN_WAIT_2)
    tell.event(2, S.FIN_WAIT_2, S.CLOSED)
    tell.row(3, S.FIN_WAIT_2, inode=0, cookie=99)
    assert tell.history.state is S.FIN_WAIT_2
    assert tell.history.is_table_only
    tell.row(4, S.TIME_WAIT, inode=0, cookie=99)
    assert tell.states[-2:] == [S.FIN_WAIT_2, S.TIME_WAIT]


def test_a_look_that_is_older_than_an_event_changes_nothing() -> None:
    tell = Teller()
    tell.row(1, S.ESTABLISHED)
    tell.event(3, S.ESTABLISHED, S.CLOSE_WAIT)
    tell.row(2, S.ESTABLISHED)
    assert tell.states == [S.ESTABLISHED, S.CLOSE_WAIT]
    assert not tell.history.is_reused


def test_an_event_that_the_first_look_has_shown_already_is_not_counted_twice() -> None:
    tell = Teller()
    tell.row(3, S.FIN_WAIT_2)
    tell.event(1, S.ESTABLISHED, S.FIN_WAIT_1)
    tell.event(2, S.FIN_WAIT_1, S.FIN_WAIT_2)
    assert tell.states == [S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2]


def test_events_alone_show_the_state_they_come_from() -> None:
    tell = Teller()
    tell.event(1, S.ESTABLISHED, S.CLOSE_WAIT)
    assert tell.states == [S.ESTABLISHED, S.CLOSE_WAIT]


def test_an_event_that_was_lost_is_inferred_from_the_next() -> None:
    tell = Teller()
    tell.row(1, S.ESTABLISHED)
    tell.event(2, S.FIN_WAIT_1, S.FIN_WAIT_2)
    assert tell.states == [S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2]
    assert tell.inferred == [S.FIN_WAIT_1]


def test_without_a_table_leaving_without_a_reset_is_taken_for_time_wait_and_marked_so() -> None:
    tell = Teller()
    tell.event(1, S.FIN_WAIT_1, S.FIN_WAIT_2)
    tell.event(2, S.FIN_WAIT_2, S.CLOSED)
    tell.history.settle_without_table()
    assert tell.states[-1] is S.TIME_WAIT
    assert tell.inferred == [S.ESTABLISHED, S.TIME_WAIT]


def test_without_a_table_a_reset_means_closed() -> None:
    tell = Teller()
    tell.event(1, S.FIN_WAIT_1, S.FIN_WAIT_2)
    tell.history.saw_segment(SegmentEvent("reset received", ENDPOINT, 2, "events"))
    tell.event(2, S.FIN_WAIT_2, S.CLOSED)
    tell.history.settle_without_table()
    assert tell.states[-1] is S.CLOSED


def test_another_inode_is_another_connection_with_the_same_addresses() -> None:
    tell = Teller()
    tell.row(1, S.ESTABLISHED, inode=7)
    tell.row(2, S.ESTABLISHED, inode=8, cookie=2)
    assert tell.states == [S.ESTABLISHED, S.CLOSED]
    assert tell.history.is_reused


def test_another_cookie_in_the_same_state_is_another_connection() -> None:
    tell = Teller()
    tell.row(1, S.TIME_WAIT, inode=0, cookie=1)
    tell.row(2, S.TIME_WAIT, inode=0, cookie=2)
    assert tell.history.is_reused
    assert tell.history.state is S.CLOSED


def test_a_state_that_cannot_follow_belongs_to_another_connection() -> None:
    tell = Teller()
    tell.row(1, S.TIME_WAIT, inode=0)
    tell.row(2, S.ESTABLISHED, inode=8, cookie=None)
    tell.row(3, S.CLOSE_WAIT, inode=8, cookie=None)
    assert tell.states[-1] is S.CLOSED
    assert S.CLOSE_WAIT not in tell.states


def test_events_of_a_later_connection_end_the_history() -> None:
    tell = Teller()
    tell.row(1, S.TIME_WAIT, inode=0)
    tell.event(2, S.SYN_SENT, S.ESTABLISHED)
    tell.event(3, S.ESTABLISHED, S.FIN_WAIT_1)
    assert tell.states[-1] is S.CLOSED
    assert tell.history.is_reused


def test_the_same_socket_may_get_another_cookie_when_it_becomes_time_wait() -> None:
    tell = Teller()
    tell.row(1, S.FIN_WAIT_2, inode=7, cookie=1)
    tell.row(2, S.TIME_WAIT, inode=0, cookie=50)
    assert not tell.history.is_reused
    assert tell.history.state is S.TIME_WAIT


def test_the_owner_is_remembered_when_the_row_has_none_any_more() -> None:
    tell = Teller()
    tell.row(1, S.ESTABLISHED)
    tell.history.saw_owner(Owner(42, "curl"))
    tell.row(2, S.TIME_WAIT, inode=0)
    assert tell.history.owner == Owner(42, "curl")
    assert tell.history.transitions[-1].owner == Owner(42, "curl")


def test_a_history_says_when_a_state_was_first_reached() -> None:
    tell = Teller()
    tell.row(1, S.ESTABLISHED)
    tell.row(2, S.FIN_WAIT_2)
    reached = tell.history.reached(S.FIN_WAIT_1)
    assert reached is not None
    assert reached.evidence == Inferred("FIN-WAIT-2")
    assert tell.history.reached(S.CLOSING) is None


def test_an_exact_observation_says_so() -> None:
    assert str(Observed("tracepoint", exact=True)) == "tracepoint"
    assert str(Inferred("TIME-WAIT")) == "inferred from TIME-WAIT"
