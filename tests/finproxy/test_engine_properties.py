"""The engine against every order of events that two endpoints, a network and a shell can produce."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from finproxy import commands, events, rules
from finproxy.engine import Engine
from finproxy.legs import FlowEnd, Leg
from finproxy.rulebook import InPlay, RuleBook
from finproxy.rules import Rule

from .strategies import any_leg, legs, plain_actions

# Few different values: what matters is that triggers coincide, not what numbers they carry.
_triggers = st.sampled_from(
    [rules.Fin(), rules.Reset(), rules.Connect(), rules.Bytes(9), rules.After(1), rules.Idle(1)]
)
_actions = plain_actions | st.sampled_from(
    [rules.Delay(1), rules.Delay(1, 0.5), rules.Hold(), rules.Hold(1), rules.Truncate(5)]
)
_wire_actions = st.sampled_from(
    [
        rules.Hold(),
        rules.Hold(1),
        rules.Delay(1),
        rules.Drop(),
        rules.Reorder(),
        rules.Simultaneous(),
        rules.Overtake(),
    ]
)
_wire_rules = st.builds(Rule, any_leg, st.just(rules.Fin()), _wire_actions, at_wire=st.just(True))
_rules = st.builds(Rule, any_leg, _triggers, _actions) | _wire_rules
_rule_lists = st.lists(_rules, max_size=3)
_orders = st.lists(st.integers(0, 1_000), max_size=12)
"""Which of the possible events comes next, again and again."""


class Shell:
    """A model of the shell around the engine: it knows which events are possible, and keeps books."""

    def __init__(
        self, book: Iterable[Rule], *, asks_for_fins: bool = False, toxics: Iterable[RuleBook] = ()
    ) -> None:
        self._asks_for_fins = asks_for_fins
        self._toxics = list(toxics)
        """What the toxics may change the rules to."""
        self.engine = Engine(self._toxics[0] if self._toxics else RuleBook(InPlay(rule) for rule in book))
        self.heard: list[events.Event] = []
        self.said: list[commands.Command] = []
        self.at = 0.0
        self._fin_due: set[Leg] = set()
        self._awaited: set[Leg] = set()
        self._gone: set[Leg] = set()
        self._finished: set[Leg] = set()
        self._timers: list[commands.Timer] = []
        self._marks: list[commands.WatchBytes] = []
        self._idles: list[commands.WatchIdle] = []
        self._stopped = False
        self._watched: dict[Leg, rules.Action] = {}
        """The legs whose segments are looked at, as long as nothing decisive was seen."""
        self.kept_out: set[Leg] = set()
        """The legs whose FIN waits outside."""
        self.tell(events.SessionOpened(0.0))

    def possible(self) -> list[events.Event]:
        """Everything that could happen next."""
        if self.engine.over:
            return []
        t = self.at + 1
        here = [leg for leg in Leg if leg not in self._gone]
        reading = [leg for leg in here if leg not in self._finished and not self._stopped]
        found: list[events.Event] = [
            events.FinReceived(t, leg) for leg in reading if leg not in self.kept_out
        ]
        found += [self._sight(t, leg) for leg in here if leg in self._watched]
        found += [events.FinSent(t, leg) for leg in here if leg in self._fin_due and not self._stopped]
        found += [events.Delivered(t, leg) for leg in here if leg in self._awaited]
        found += [events.BytesReached(t, mark.leg, mark.count) for mark in self._marks if mark.leg in reading]
        found += [events.TimerFired(t, timer) for timer in self._timers]
        found += [events.IdleReached(t, idle.leg, idle.delay) for idle in self._idles]
        found += [events.ActionRequested(t, leg, rules.Hold()) for leg in Leg if self._can_hold(leg)]
        if self._asks_for_fins:
            found += [events.ActionRequested(t, leg, rules.SendFin()) for leg in Leg]
        if self._toxics:
            acts = (rules.FullClose(), rules.SendReset())
            found += [events.ActionRequested(t, leg, act, "toxic") for leg in Leg for act in acts]
            found += [events.RulesChanged(t, book) for book in self._toxics]
        found += [events.Released(t, leg) for leg in Leg if self._can_release(leg)]
        found += [events.ResetReceived(t, leg) for leg in here]
        found += [events.LegFailed(t, leg, "timed out") for leg in here]
        return found

    def tell(self, event: events.Event) -> None:
        self.at = event.at
        self.heard.append(event)
        self._note(event)
        for command in self.engine.handle(event):
            self.said.append(command)
            self._carry_out(command)

    def follow(self, order: Iterable[int], without: tuple[type[events.Event], ...] = ()) -> None:
        """Let one possible event after the other happen, but none of the kinds in `without`."""
        for number in order:
            choices = [event for event in self.possible() if not isinstance(event, without)]
            # By kind first: otherwise timers and requests, which abound, crowd out what they are there for.
            kinds = list(dict.fromkeys(map(type, choices)))
            if kinds:
                alike = [event for event in choices if type(event) is kinds[number % len(kinds)]]
                self.tell(alike[number // len(kinds) % len(alike)])

    def count(self, kind: type[commands.SendFin | commands.Abort | commands.Release], leg: Leg) -> int:
        """How often a leg was told to do this."""
        return sum(isinstance(command, kind) and command.leg is leg for command in self.said)

    def finish(self) -> None:
        """Let both endpoints end with a FIN, answer whatever is waited for, and release what is on hold."""
        while choices := [event for event in self.possible() if self._friendly(event)]:
            self.tell(choices[0])

    def _friendly(self, event: events.Event) -> bool:
        if isinstance(event, events.Released):
            kept = self.engine.endpoint(event.leg).kept
            return kept is not None and isinstance(kept.action, rules.Hold)
        return isinstance(
            event,
            events.FinReceived | events.FinKeptOut | events.FinSent | events.Delivered | events.TimerFired,
        )

    def _sight(self, t: float, leg: Leg) -> events.FinKeptOut | events.FinOvertook:
        """What is seen of the leg's FIN, if it does not slip in."""
        if isinstance(self._watched[leg], rules.Overtake):
            return events.FinOvertook(t, leg)
        return events.FinKeptOut(t, leg)

    def _can_hold(self, leg: Leg) -> bool:
        end = self.engine.endpoint(leg)
        return end.ended is FlowEnd.OPEN or end.kept is not None

    def _can_release(self, leg: Leg) -> bool:
        end = self.engine.endpoint(leg)
        return end.kept is not None or (end.armed is not None and end.armed.requested)

    def _note(self, event: events.Event) -> None:
        match event:
            case events.FinKeptOut(leg=leg):
                del self._watched[leg]
                self.kept_out.add(leg)
            case events.FinOvertook(leg=leg):
                del self._watched[leg]
            case events.FinReceived(leg=leg):
                self._finish_reading(leg)
            case events.ResetReceived(leg=leg) | events.LegFailed(leg=leg):
                self._finish_reading(leg)
                self._fin_due.discard(leg)
            case events.FinSent(leg=leg):
                self._fin_due.remove(leg)
            case events.Delivered(leg=leg):
                self._awaited.remove(leg)
            case events.TimerFired(timer=timer):
                self._timers.remove(timer)
            case events.BytesReached(leg=leg, count=count):
                self._marks.remove(commands.WatchBytes(leg, count))
            case events.IdleReached(leg=leg, delay=delay):
                self._idles.remove(commands.WatchIdle(leg, delay))

    def _finish_reading(self, leg: Leg) -> None:
        self._finished.add(leg)
        self._watched.pop(leg, None)
        self.kept_out.discard(leg)

    def _carry_out(self, command: commands.Command) -> None:
        match command:
            case commands.KeepFinOut(leg=leg, action=action):
                self._watched[leg] = action
            case commands.LetFinIn(leg=leg):
                assert leg not in self._gone
                self.kept_out.remove(leg)
            case commands.SendFin(leg=leg):
                assert leg not in self._gone
                self._fin_due.add(leg)
            case commands.AwaitDelivery(leg=leg):
                assert leg not in self._gone
                self._awaited.add(leg)
            case commands.Abort(leg=leg) | commands.Release(leg=leg):
                assert leg not in self._gone
                self._gone.add(leg)
                self._finish_reading(leg)
            case commands.StartTimer(timer=timer):
                self._timers.append(timer)
            case commands.WatchBytes():
                self._marks.append(command)
            case commands.WatchIdle():
                self._idles.append(command)
            case commands.StopMoving():
                self._stopped = True


@settings(max_examples=600)
@given(_rule_lists, _orders)
def test_no_possible_order_is_illegal_and_no_leg_is_touched_after_it_was_given_up(
    book: list[Rule], order: list[int]
) -> None:
    Shell(book).follow(order)  # raises IllegalTransitionError, or fails in Shell._carry_out


_toxic_books = st.lists(
    st.lists(
        st.builds(InPlay, st.builds(Rule, any_leg, _triggers, _actions), toxic=st.sampled_from("ab")),
        max_size=3,
    ).map(RuleBook),
    min_size=2,
    max_size=3,
)


@settings(max_examples=600)
@given(_toxic_books, _orders)
def test_toxics_that_come_and_go_make_no_order_illegal(books: list[RuleBook], order: list[int]) -> None:
    Shell([], toxics=books).follow(order)


@settings(max_examples=600)
@given(_toxic_books, _orders)
def test_no_toxic_keeps_anything_once_it_is_gone(books: list[RuleBook], order: list[int]) -> None:
    shell = Shell([], toxics=books)
    shell.follow(order)
    if not shell.engine.over:
        shell.tell(events.RulesChanged(shell.at, RuleBook()))
    kept = [shell.engine.endpoint(leg).kept for leg in Leg]
    assert shell.engine.over or not [each for each in kept if each and each.by.toxic]


@given(_rule_lists, _orders)
def test_a_leg_gets_one_fin_at_most_and_is_given_up_once_at_most(book: list[Rule], order: list[int]) -> None:
    shell = Shell(book)
    shell.follow(order)
    for leg in Leg:
        assert shell.count(commands.SendFin, leg) <= 1
        assert shell.count(commands.Abort, leg) + shell.count(commands.Release, leg) <= 1


@given(_rule_lists, _orders, st.permutations(list(Leg)))
def test_a_session_is_over_once_both_endpoints_have_reset(
    book: list[Rule], order: list[int], legs: list[Leg]
) -> None:
    shell = Shell(book)
    shell.follow(order)
    for leg in legs:
        reset = [e for e in shell.possible() if isinstance(e, events.ResetReceived) and e.leg is leg]
        for event in reset:
            shell.tell(event)
    assert shell.engine.over


@given(_rule_lists, _orders)
def test_a_session_is_over_once_somebody_asked_for_its_abort(book: list[Rule], order: list[int]) -> None:
    shell = Shell(book)
    shell.follow(order)
    if not shell.engine.over:
        shell.tell(events.AbortRequested(shell.at, "enough"))
        assert shell.engine.aborted == "enough"
    assert shell.engine.over


@given(_rule_lists, _orders)
def test_a_session_ends_when_both_endpoints_do_unless_a_rule_withholds_an_end_for_good(
    book: list[Rule], order: list[int]
) -> None:
    shell = Shell(rule for rule in book if not isinstance(rule.action, rules.Drop | rules.Blackhole))
    shell.follow(order)
    shell.finish()
    assert shell.engine.over


@given(_orders)
def test_without_rules_each_fin_is_told_by_exactly_one_fin(order: list[int]) -> None:
    shell = Shell([])
    shell.follow(order, without=(events.ActionRequested,))
    for leg in Leg:
        came_in_time = any(
            isinstance(event, events.FinReceived) and event.leg is leg
            for event in _heard_before_the_loss_of(leg.other, shell)
        )
        assert shell.count(commands.SendFin, leg.other) == came_in_time


@given(_orders)
def test_without_rules_a_reset_is_told_by_exactly_one_reset_unless_both_fins_had_passed(
    order: list[int],
) -> None:
    shell = Shell([])
    shell.follow(order, without=(events.ActionRequested,))
    shell.finish()
    for leg in Leg:
        before = _heard_before_the_loss_of(leg, shell)
        reset = len(before) < len(shell.heard)
        closed = {type(event) for event in before if leg.other is getattr(event, "leg", None)}
        passed = {events.FinReceived, events.FinSent} <= closed
        lost_too = any(_is_loss_of(event, leg.other) for event in shell.heard)
        assert shell.count(commands.Abort, leg.other) == (reset and not passed and not lost_too)


def _heard_before_the_loss_of(leg: Leg, shell: Shell) -> list[events.Event]:
    return list(itertools.takewhile(lambda event: not _is_loss_of(event, leg), shell.heard))


def _is_loss_of(event: events.Event, leg: Leg) -> bool:
    return isinstance(event, events.ResetReceived | events.LegFailed) and event.leg is leg


@settings(max_examples=600)
@given(st.lists(_wire_rules | _rules, max_size=3), _orders)
def test_a_fin_that_is_kept_out_is_let_in_at_last_or_was_dropped_on_purpose(
    book: list[Rule], order: list[int]
) -> None:
    shell = Shell(book, asks_for_fins=True)
    shell.follow(order)
    shell.finish()
    for leg in shell.kept_out:
        reports = [c.event for c in shell.said if isinstance(c, commands.Report) and c.leg is leg]
        assert shell.engine.blackholed or "fin.dropped" in reports


@given(_orders, legs)
def test_what_is_held_at_the_wire_comes_in_only_after_its_release(order: list[int], held: Leg) -> None:
    shell = Shell([Rule(held, rules.Fin(), rules.Hold(), at_wire=True)])
    shell.follow(order, without=(events.Released, events.ResetReceived, events.LegFailed))
    assert not any(isinstance(command, commands.LetFinIn) for command in shell.said)


@given(_orders, legs)
def test_what_is_on_hold_is_not_told_before_its_release(order: list[int], held: Leg) -> None:
    shell = Shell([Rule(held, rules.Fin(), rules.Hold()), Rule(held, rules.Reset(), rules.Hold())])
    shell.follow(order, without=(events.Released, events.LegFailed))
    assert shell.count(commands.SendFin, held.other) == 0
    assert shell.count(commands.Abort, held.other) == 0


@given(_orders)
def test_reorder_sends_a_fin_only_after_the_opposite_one_has_left(order: list[int]) -> None:
    shell = Shell([Rule(Leg.CLIENT, rules.Fin(), rules.Reorder())])
    shell.follow(order, without=(events.Released,))
    if shell.count(commands.SendFin, Leg.SERVER):
        assert any(isinstance(event, events.FinSent) and event.leg is Leg.CLIENT for event in shell.heard)


@given(_orders, any_leg)
def test_simultaneous_sends_no_fin_before_both_have_come_and_then_both_at_once(
    order: list[int], leg: Leg | None
) -> None:
    shell = Shell([Rule(leg, rules.Fin(), rules.Simultaneous())])
    shell.follow(order, without=(events.Released, events.ActionRequested))
    came = [e.leg for e in shell.heard if isinstance(e, events.FinReceived)]
    fins = [shell.count(commands.SendFin, leg) for leg in Leg]
    assert fins in ([0, 0], [1, 1])
    if fins == [1, 1]:
        assert sorted(came, key=list(Leg).index) == list(Leg)


@given(_rule_lists, _orders)
def test_the_same_events_are_answered_the_same(book: list[Rule], order: list[int]) -> None:
    first, second = Shell(book), Shell(book)
    first.follow(order)
    second.follow(order)
    assert first.said == second.said
