"""The engine of one session, without I/O: an event comes in, commands go out.

The one interpreter of the rules. It holds what a *process* can know of its two legs (transitions.py);
the eleven states of the kernel's TCP are another machine, and the two are never merged. This module
must not know sockets, trio, the clock or chance: time is a number in the event, chance was settled in
the rule book, and bytes never pass through here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from . import commands, events, rules
from .endpoint import Endpoint
from .fates import Fates
from .legs import LEGS, FlowEnd, Leg, Relayed
from .rulebook import InPlay, RuleBook, of_toxic, requested
from .transitions import FlowAct, FlowState, LegAct, LegState

_ARMING = (
    rules.Relay,
    rules.Delay,
    rules.Hold,
    rules.Drop,
    rules.Reorder,
    rules.Simultaneous,
    rules.Overtake,
)
"""Actions that need an end to act on: fired by a moment before the end came, they wait for it."""


@dataclass(slots=True)
class Engine:
    """One session's engine. It has one owner and no lock: `handle` is synchronous."""

    book: RuleBook = field(default_factory=RuleBook)
    closed_first: Leg | None = None
    aborted: str | None = None
    """Why the proxy gave the session up, if it did."""
    _fates: Fates = field(default_factory=Fates)
    _watched: set[tuple[Leg, rules.Trigger]] = field(default_factory=set)

    @property
    def over(self) -> bool:
        """Whether both legs have been given up: no event can follow."""
        return self._fates.ends[Leg.CLIENT].released and self._fates.ends[Leg.SERVER].released

    @property
    def blackholed(self) -> bool:
        """Whether a rule has stopped all movement."""
        return self._fates.blackholed

    def endpoint(self, leg: Leg) -> Endpoint:
        """What is known of one endpoint: to be read, not changed."""
        return self._fates.ends[leg]

    def handle(self, event: events.Event) -> list[commands.Command]:
        """Tell the engine what happened; carry out what it returns, in order.

        Raises:
            IllegalTransitionError: the event cannot follow the events before it.
        """
        self._fates.begin(event.at)
        self._take(event)
        return self._fates.out

    # --- events -----------------------------------------------------------------------------------

    def _take(self, event: events.Event) -> None:
        match event:
            case events.SessionOpened():
                self._opened()
            case events.FinReceived(leg=leg):
                self._fin_received(self._fates.ends[leg])
            case events.ResetReceived(leg=leg):
                self._leg_lost(self._fates.ends[leg], FlowEnd.RESET, f"the {leg} reset the connection")
            case events.LegFailed(leg=leg, reason=reason):
                self._leg_lost(self._fates.ends[leg], FlowEnd.FAILED, f"the {leg} leg failed: {reason}")
            case events.FinSent(leg=leg):
                self._fin_sent(self._fates.ends[leg])
            case events.Delivered(leg=leg):
                self._delivered(self._fates.ends[leg])
            case events.BytesReached(leg=leg, count=count):
                self._moment(self._fates.ends[leg], rules.Bytes(count))
            case events.IdleReached(leg=leg, delay=delay):
                self._moment(self._fates.ends[leg], rules.Idle(delay))
            case events.TimerFired(timer=timer):
                self._timer_fired(timer)
            case events.FinKeptOut(leg=leg):
                self._fin_kept_out(self._fates.ends[leg])
            case events.FinOvertook(leg=leg):
                self._fates.report("fin.overtook", self._fates.ends[leg])
            case events.ActionRequested():
                self._requested(event)
            case events.RulesChanged(book=book):
                self._rules_changed(book)
            case events.Released(leg=leg):
                self._released_on_request(self._fates.ends[leg])
            case events.AbortRequested(why=why):
                self.aborted = why
                self._fates.abort_all(why)
            case _:
                assert_never(event)

    def _opened(self) -> None:
        for leg in LEGS:
            if count := self.book.keep_back(leg):
                self._fates.do(commands.KeepBack(leg, count))
            self._watch_moments(leg)
            chosen = self.book.choose(leg, rules.Fin())
            if chosen and chosen.rule.at_wire:
                self._fates.do(commands.KeepFinOut(leg, chosen.rule.action))
        for leg in LEGS:
            self._moment(self._fates.ends[leg], rules.Connect())

    def _rules_changed(self, book: RuleBook) -> None:
        """Let other rules hold for what is still to come."""
        before, self.book = self.book, book
        for leg in LEGS:
            if self._fates.ends[leg].flow_state is not FlowState.FLOWING:
                continue
            if (count := book.keep_back(leg)) != before.keep_back(leg):
                self._fates.do(commands.KeepBack(leg, count))
            self._watch_moments(leg)
        for end in self._fates.ends.values():
            self._follow_toxic(end)

    def _follow_toxic(self, end: Endpoint) -> None:
        """Let go what a toxic has kept that is gone, and keep it anew for one that has changed."""
        by = end.kept.by if end.kept else end.armed
        if by is None or not by.toxic or by in self.book:
            return
        now_by = self.book.same_toxic(by)
        if not end.kept:
            end.armed = now_by
        elif now_by:
            self._apply(end, now_by)
        else:
            self._fates.pass_on(end, "its toxic was removed")

    def _watch_moments(self, leg: Leg) -> None:
        """Have each moment of the book watched for, once in the life of the session."""
        for moment in self.book.moments(leg):
            if (leg, moment) in self._watched or _has_passed(moment, self._fates.now):
                continue
            self._watched.add((leg, moment))
            self._fates.do(_watch(leg, moment, self._fates.now))

    def _fin_received(self, end: Endpoint) -> None:
        end.move_leg(LegAct.FIN_RECEIVED)
        end.ended = FlowEnd.FIN
        self.closed_first = self.closed_first or end.leg
        end.kept_out = False
        # A rule may have sent a FIN in its name already, or may keep it since it was a segment.
        if end.flow_state in (FlowState.FLOWING, FlowState.KEPT) and not end.kept:
            self._decide(end, rules.Fin())
        self._end_has_come(end)
        self._close_up(end)

    def _fin_kept_out(self, end: Endpoint) -> None:
        end.kept_out = True
        self.closed_first = self.closed_first or end.leg
        if not self._fates.blackholed:
            # Also where a rule has sent a FIN in its name already: the segment is kept for its own sake.
            self._decide(end, rules.Fin())
            self._end_has_come(end)

    def _leg_lost(self, end: Endpoint, how: FlowEnd, why: str) -> None:
        if end.kept:
            self._fates.drop(end, why)  # the FIN that was kept has become a reset
        end.kept_out = end.let_in = False
        end.move_leg(LegAct.LOST)
        end.ended = how
        end.lost_why = why
        end.abort_why = None
        end.released = True
        self.closed_first = self.closed_first or end.leg
        self._fates.do(commands.Release(end.leg, why))
        self._fates.nobody_to_tell(self._fates.other(end), why)
        if self._fates.blackholed:
            self._fates.drop(end)
        elif self._fates.other(end).abort_why is not None:
            pass  # a reset is on its way there already
        elif how is FlowEnd.RESET:
            self._decide(end, rules.Reset())
        else:
            self._fates.report("leg.failed", end, why=why)
            self._fates.pass_on(end)
        self._end_has_come(end)

    def _fin_sent(self, end: Endpoint) -> None:
        """Our FIN has left on `end`'s leg: it told the end of the *other* endpoint's flow."""
        end.move_leg(LegAct.FIN_SENT)
        teller = self._fates.other(end)
        teller.told = Relayed.FIN
        if end.abort_why is None:  # else a reset follows on its heels, and the flow tells that
            teller.move_flow(FlowAct.TOLD)
        if end.kept_by(rules.Reorder):
            self._fates.pass_on(end, "the opposite FIN was relayed")
        self._close_up(end)

    def _delivered(self, end: Endpoint) -> None:
        if end.released:
            return
        if end.abort_why is not None:
            self._fates.other(end).move_flow(FlowAct.TOLD)
            self._fates.other(end).told = Relayed.RESET
            self._fates.abort_all(end.abort_why)
        elif end.leg_state is LegState.CLOSED:
            end.released = True
            self._fates.do(commands.Release(end.leg, ""))

    def _timer_fired(self, timer: commands.Timer) -> None:
        end = self._fates.ends[timer.leg]
        match timer:
            case commands.MomentTimer(delay=delay):
                self._moment(end, rules.After(delay))
            case commands.KeptTimer(serial=serial):
                # A timer outlives what it was started for when somebody released it first.
                if end.kept and end.kept.serial == serial:
                    self._fates.pass_on(end, "its time was up")

    def _requested(self, event: events.ActionRequested) -> None:
        end = self._fates.ends[event.leg]
        if event.toxic:
            self._fire(end, rules.Connect(), of_toxic(event.action, event.toxic))
        else:
            self._act_on(end, requested(event.action))

    def _released_on_request(self, end: Endpoint) -> None:
        if end.kept:
            self._fates.pass_on(end, "request")
        elif end.armed and end.armed.requested:
            end.armed = None

    # --- rules ------------------------------------------------------------------------------------

    def _moment(self, end: Endpoint, trigger: rules.Trigger) -> None:
        """Carry out the rule of a moment, if one is in play and there is still something to act on."""
        if chosen := self.book.choose(end.leg, trigger):
            self._fire(end, trigger, chosen)

    def _fire(self, end: Endpoint, trigger: rules.Trigger, chosen: InPlay) -> None:
        if not self._moot(end, trigger, chosen.rule.action):
            self._fates.report("rule.fired", end, rule=chosen.name)
            self._act_on(end, chosen)

    def _act_on(self, end: Endpoint, chosen: InPlay) -> None:
        """Carry an action out now, or lay it down for the end, if it needs one and none has come."""
        if isinstance(chosen.rule.action, _ARMING) and not end.has_come:
            end.armed = chosen
        else:
            self._apply(end, chosen)

    def _moot(self, end: Endpoint, trigger: rules.Trigger, action: rules.Action) -> bool:
        """Whether a moment has come too late for its action to change anything."""
        if self.over:
            return True
        if isinstance(trigger, rules.Idle) and end.has_come:
            return True  # an endpoint that has ended its flow is not idle
        if isinstance(action, rules.SendReset):
            return False
        if isinstance(action, rules.FullClose | rules.Blackhole):
            return self._fates.blackholed
        return self._fates.blackholed or end.flow_state not in (FlowState.FLOWING, FlowState.KEPT)

    def _decide(self, end: Endpoint, trigger: rules.Fin | rules.Reset) -> None:
        """Choose what becomes of an end that has just come."""
        if not self._fates.other(end).alive:
            self._fates.pass_on(end)
        elif end.armed:
            self._apply(end, end.armed)
        elif end.let_in:
            self._fates.pass_on(end)
        elif chosen := self.book.choose(end.leg, trigger):
            self._fates.report("rule.fired", end, rule=chosen.name)
            if (
                chosen.rule.at_wire
                and not end.kept_out
                and not isinstance(chosen.rule.action, rules.Overtake)
            ):
                # Never in silence: what cannot be done to the segment is done at the relay, and said.
                self._fates.report(
                    "fin.slipped", end, why="accepted before it could be kept out; kept at the relay"
                )
            self._apply(end, chosen)
        elif partner := self._waits_for_both(end, trigger):
            self._fates.keep(end, partner)
        else:
            self._fates.pass_on(end)

    def _waits_for_both(self, end: Endpoint, trigger: rules.Fin | rules.Reset) -> InPlay | None:
        """The other endpoint's `simultaneous`, which keeps this end too until both have come."""
        other = self._fates.other(end)
        chosen = other.armed or self.book.choose(other.leg, trigger)
        if other.flow_state is not FlowState.FLOWING or chosen is None:
            return None
        return chosen if isinstance(chosen.rule.action, rules.Simultaneous) else None

    def _apply(self, end: Endpoint, chosen: InPlay) -> None:
        why = chosen.name
        other = self._fates.other(end)
        match action := chosen.rule.action:
            case rules.Relay() | rules.Overtake():
                self._fates.pass_on(end, why)
            case rules.Delay(delay=delay):
                self._fates.keep(end, chosen, max(0.0, delay + chosen.extra_delay(end.leg)))
            case rules.Hold(limit=limit):
                self._fates.keep(end, chosen, limit)
            case rules.Drop():
                self._fates.drop(end, why)
            case rules.Reorder():
                self._fates.keep(end, chosen) if self._can_go_second(end) else self._fates.pass_on(end, why)
            case rules.Simultaneous():
                if other.flow_state is FlowState.FLOWING:
                    self._fates.keep(end, chosen)
                else:
                    self._fates.meet(end, other)
                    if end.kept_out:
                        self._end_has_come(end)  # before it is let in: the two FINs cross
                    self._fates.pass_on(end, why)
            case rules.SendFin():
                self._fates.cut(end, why)
            case rules.Truncate(count=count):
                self._fates.do(commands.DropNewest(end.leg, count, why))
                self._fates.cut(end, why)
            case rules.SendReset():
                self._fates.reset(end, why)
            case rules.FullClose():
                self._fates.cut(end, why)
                self._fates.cut(other, why)
            case rules.Blackhole():
                self._fates.blackhole(why)
            case _:
                assert_never(action)

    def _can_go_second(self, end: Endpoint) -> bool:
        """Whether the opposite end can still be relayed before this one."""
        other = self._fates.other(end)
        if not other.alive or other.told is Relayed.FIN:
            return False
        if other.kept_by(rules.Reorder):
            return False  # each waits for the other: the later one goes first, which is what it means
        return end.alive or other.ended is FlowEnd.OPEN

    def _end_has_come(self, end: Endpoint) -> None:
        """Let the other endpoint's kept end go, if this was what it waited for."""
        other = self._fates.other(end)
        if other.kept_by(rules.Simultaneous):
            self._fates.pass_on(other, "both ends have come")
        elif other.kept_by(rules.Reorder) and not other.alive:
            # A reset endpoint can be told nothing: that the opposite end has come must do.
            self._fates.pass_on(other, "the opposite end has come")

    # --- small words ------------------------------------------------------------------------------

    def _close_up(self, end: Endpoint) -> None:
        """Give a leg up when both FINs have passed, once the peer has acknowledged ours.

        Not earlier: a reset in place of the acknowledgement would go unseen, and with it lost bytes.
        """
        if end.leg_state is LegState.CLOSED:
            self._fates.do(commands.AwaitDelivery(end.leg, bounded=False))


def _has_passed(moment: rules.Bytes | rules.After | rules.Idle, now: float) -> bool:
    return isinstance(moment, rules.After) and now > moment.delay


def _watch(leg: Leg, moment: rules.Bytes | rules.After | rules.Idle, now: float) -> commands.Command:
    match moment:
        case rules.Bytes(count=count):
            return commands.WatchBytes(leg, count)
        case rules.After(delay=delay):
            return commands.StartTimer(commands.MomentTimer(leg, delay), delay - now)
        case rules.Idle(delay=delay):
            return commands.WatchIdle(leg, delay)
