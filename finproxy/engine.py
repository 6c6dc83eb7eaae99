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
from .endpoint import Endpoint, Kept
from .legs import FlowEnd, Leg, Relayed
from .rulebook import REQUESTED_HOLD, InPlay, RuleBook
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
    blackholed: bool = False
    _ends: dict[Leg, Endpoint] = field(default_factory=lambda: {leg: Endpoint(leg) for leg in Leg})
    _now: float = 0.0
    _serial: int = 0
    _out: list[commands.Command] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether both legs have been given up: no event can follow."""
        return all(end.released for end in self._ends.values())

    def endpoint(self, leg: Leg) -> Endpoint:
        """What is known of one endpoint: to be read, not changed."""
        return self._ends[leg]

    def handle(self, event: events.Event) -> list[commands.Command]:
        """Tell the engine what happened; carry out what it returns, in order.

        Raises:
            IllegalTransitionError: the event cannot follow the events before it.
        """
        self._now = event.at
        self._out = []
        self._take(event)
        return self._out

    # --- events -----------------------------------------------------------------------------------

    def _take(self, event: events.Event) -> None:
        match event:
            case events.SessionOpened():
                self._opened()
            case events.FinReceived(leg=leg):
                self._fin_received(self._ends[leg])
            case events.ResetReceived(leg=leg):
                self._leg_lost(self._ends[leg], FlowEnd.RESET, f"the {leg} reset the connection")
            case events.LegFailed(leg=leg, reason=reason):
                self._leg_lost(self._ends[leg], FlowEnd.FAILED, f"the {leg} leg failed: {reason}")
            case events.FinSent(leg=leg):
                self._fin_sent(self._ends[leg])
            case events.Delivered(leg=leg):
                self._delivered(self._ends[leg])
            case events.BytesReached(leg=leg, count=count):
                self._moment(self._ends[leg], rules.Bytes(count))
            case events.IdleReached(leg=leg, delay=delay):
                self._moment(self._ends[leg], rules.Idle(delay))
            case events.TimerFired(timer=timer):
                self._timer_fired(timer)
            case events.HoldRequested(leg=leg):
                self._hold_requested(self._ends[leg])
            case events.Released(leg=leg):
                self._released_on_request(self._ends[leg])
            case events.AbortRequested(why=why):
                self.aborted = why
                self._abort_all(why)
            case _:
                assert_never(event)

    def _opened(self) -> None:
        for leg in Leg:
            if count := self.book.keep_back(leg):
                self._do(commands.KeepBack(leg, count))
            for moment in self.book.moments(leg):
                self._do(_watch(leg, moment))
        for leg in Leg:
            self._moment(self._ends[leg], rules.Connect())

    def _fin_received(self, end: Endpoint) -> None:
        end.move_leg(LegAct.FIN_RECEIVED)
        end.ended = FlowEnd.FIN
        self.closed_first = self.closed_first or end.leg
        if end.flow_state is FlowState.FLOWING:  # a rule may have sent a FIN in its name already
            self._decide(end, rules.Fin())
        self._end_has_come(end)
        self._close_up(end)

    def _leg_lost(self, end: Endpoint, how: FlowEnd, why: str) -> None:
        if end.kept:
            self._drop(end, why)  # the FIN that was kept has become a reset
        end.move_leg(LegAct.LOST)
        end.ended = how
        end.lost_why = why
        end.abort_why = None
        end.released = True
        self.closed_first = self.closed_first or end.leg
        self._do(commands.Release(end.leg, why))
        self._nobody_to_tell(self._other(end), why)
        if self.blackholed:
            self._drop(end)
        elif self._other(end).abort_why is not None:
            pass  # a reset is on its way there already
        elif how is FlowEnd.RESET:
            self._decide(end, rules.Reset())
        else:
            self._report("leg.failed", end, why=why)
            self._pass_on(end)
        self._end_has_come(end)

    def _fin_sent(self, end: Endpoint) -> None:
        """Our FIN has left on `end`'s leg: it told the end of the *other* endpoint's flow."""
        end.move_leg(LegAct.FIN_SENT)
        teller = self._other(end)
        teller.told = Relayed.FIN
        if end.abort_why is None:  # else a reset follows on its heels, and the flow tells that
            teller.move_flow(FlowAct.TOLD)
        if end.kept_by(rules.Reorder):
            self._pass_on(end, "the opposite FIN was relayed")
        self._close_up(end)

    def _delivered(self, end: Endpoint) -> None:
        if end.released:
            return
        if end.abort_why is not None:
            self._other(end).move_flow(FlowAct.TOLD)
            self._other(end).told = Relayed.RESET
            self._abort_all(end.abort_why)
        elif end.leg_state is LegState.CLOSED:
            end.released = True
            self._do(commands.Release(end.leg, ""))

    def _timer_fired(self, timer: commands.Timer) -> None:
        end = self._ends[timer.leg]
        match timer:
            case commands.MomentTimer(delay=delay):
                self._moment(end, rules.After(delay))
            case commands.KeptTimer(serial=serial):
                # A timer outlives what it was started for when somebody released it first.
                if end.kept and end.kept.serial == serial:
                    self._pass_on(end, "its time was up")

    def _hold_requested(self, end: Endpoint) -> None:
        if end.kept:
            self._keep(end, REQUESTED_HOLD)
        else:
            end.armed = REQUESTED_HOLD

    def _released_on_request(self, end: Endpoint) -> None:
        if end.kept:
            self._pass_on(end, "request")
        elif end.armed is REQUESTED_HOLD:
            end.armed = None

    # --- rules ------------------------------------------------------------------------------------

    def _moment(self, end: Endpoint, trigger: rules.Trigger) -> None:
        """Carry out the rule of a moment, if one is in play and there is still something to act on."""
        chosen = self.book.choose(end.leg, trigger)
        if chosen is None or self._moot(end, trigger, chosen.rule.action):
            return
        self._report("rule.fired", end, rule=chosen.name)
        if isinstance(chosen.rule.action, _ARMING) and end.ended is FlowEnd.OPEN:
            end.armed = chosen
        else:
            self._apply(end, chosen)

    def _moot(self, end: Endpoint, trigger: rules.Trigger, action: rules.Action) -> bool:
        """Whether a moment has come too late for its action to change anything."""
        if self.over:
            return True
        if isinstance(trigger, rules.Idle) and end.ended is not FlowEnd.OPEN:
            return True  # an endpoint that has ended its flow is not idle
        if isinstance(action, rules.SendReset):
            return False
        if isinstance(action, rules.FullClose | rules.Blackhole):
            return self.blackholed
        return self.blackholed or end.flow_state not in (FlowState.FLOWING, FlowState.KEPT)

    def _decide(self, end: Endpoint, trigger: rules.Fin | rules.Reset) -> None:
        """Choose what becomes of an end that has just come."""
        if not self._other(end).alive:
            self._drop(end)
        elif end.armed:
            self._apply(end, end.armed)
        elif chosen := self.book.choose(end.leg, trigger):
            self._report("rule.fired", end, rule=chosen.name)
            self._apply(end, chosen)
        elif partner := self._waits_for_both(end, trigger):
            self._keep(end, partner)
        else:
            self._pass_on(end)

    def _waits_for_both(self, end: Endpoint, trigger: rules.Fin | rules.Reset) -> InPlay | None:
        """The other endpoint's `simultaneous`, which keeps this end too until both have come."""
        other = self._other(end)
        chosen = other.armed or self.book.choose(other.leg, trigger)
        if other.flow_state is not FlowState.FLOWING or chosen is None:
            return None
        return chosen if isinstance(chosen.rule.action, rules.Simultaneous) else None

    def _apply(self, end: Endpoint, chosen: InPlay) -> None:
        why = chosen.name
        other = self._other(end)
        match action := chosen.rule.action:
            case rules.Relay() | rules.Overtake():
                self._pass_on(end, why)
            case rules.Delay(delay=delay):
                self._keep(end, chosen, max(0.0, delay + chosen.extra_delay(end.leg)))
            case rules.Hold(limit=limit):
                self._keep(end, chosen, limit)
            case rules.Drop():
                self._drop(end, why)
            case rules.Reorder():
                self._keep(end, chosen) if self._can_go_second(end) else self._pass_on(end, why)
            case rules.Simultaneous():
                wait = other.flow_state is FlowState.FLOWING
                self._keep(end, chosen) if wait else self._pass_on(end, why)
            case rules.SendFin():
                self._cut(end, why)
            case rules.Truncate(count=count):
                self._do(commands.DropNewest(end.leg, count, why))
                self._cut(end, why)
            case rules.SendReset():
                self._reset(end, why)
            case rules.FullClose():
                self._cut(end, why)
                self._cut(other, why)
            case rules.Blackhole():
                self._blackhole(why)
            case _:
                assert_never(action)

    def _can_go_second(self, end: Endpoint) -> bool:
        """Whether the opposite end can still be relayed before this one."""
        other = self._other(end)
        if not other.alive or other.told is Relayed.FIN:
            return False
        if other.kept_by(rules.Reorder):
            return False  # each waits for the other: the later one goes first, which is what it means
        return end.alive or other.ended is FlowEnd.OPEN

    def _end_has_come(self, end: Endpoint) -> None:
        """Let the other endpoint's kept end go, if this was what it waited for."""
        other = self._other(end)
        if other.kept_by(rules.Simultaneous):
            self._pass_on(other, "both ends have come")
        elif other.kept_by(rules.Reorder) and not other.alive:
            # A reset endpoint can be told nothing: that the opposite end has come must do.
            self._pass_on(other, "the opposite end has come")

    # --- what becomes of an end -------------------------------------------------------------------

    def _keep(self, end: Endpoint, by: InPlay, limit: float | None = None) -> None:
        end.move_flow(FlowAct.KEEP)
        self._serial += 1
        since = end.kept.since if end.kept else self._now
        end.kept = Kept(by, since, self._serial)
        if limit is None:
            self._report(f"{end.noun}.held", end, rule=by.name)
        else:
            self._do(commands.StartTimer(commands.KeptTimer(end.leg, self._serial), limit))
            self._report(f"{end.noun}.held", end, rule=by.name, limit=limit)

    def _pass_on(self, end: Endpoint, why: str = "") -> None:
        """Tell the other endpoint: FIN as FIN, anything else as RST, after every byte before it."""
        self._let_go_of(end, why)
        other = self._other(end)
        if not other.alive:
            self._drop(end)
        elif end.ended is FlowEnd.FIN:
            self._tell_fin(end)
        elif other.leg_state is LegState.CLOSED:
            self._drop(end)  # both FINs have passed there: its last bytes may still be under way
        else:
            self._reset(end, end.lost_why)

    def _drop(self, end: Endpoint, why: str = "") -> None:
        if end.kept:
            end.let_go(self._now)
        end.move_flow(FlowAct.DROP)
        self._do(commands.KeepBack(end.leg, 0))
        if why:
            self._report(f"{end.noun}.dropped", end, why=why)

    def _cut(self, end: Endpoint, why: str) -> None:
        """End the flow towards the other endpoint with a FIN, whatever its source does."""
        self._let_go_of(end, why)
        if end.ended is FlowEnd.OPEN:
            self._do(commands.Discard(end.leg, why))
        other = self._other(end)
        if not other.alive:
            self._drop(end)
        elif end.told is Relayed.NOTHING and other.abort_why is None:
            self._tell_fin(end)
        elif end.flow_state is FlowState.KEPT:
            self._drop(end)  # a reset was kept, but its FIN has told the end already

    def _tell_fin(self, end: Endpoint) -> None:
        end.move_flow(FlowAct.TELL)
        if not end.fin_asked:  # one may be waiting for room behind the last bytes
            end.fin_asked = True
            self._do(commands.SendFin(end.leg.other))

    def _reset(self, end: Endpoint, why: str) -> None:
        """Reset the other endpoint once it has what was sent before, then what is left of this one."""
        self._let_go_of(end, why)
        other = self._other(end)
        if not other.alive:
            self._drop(end)
            self._abort_all(why)
            return
        end.move_flow(FlowAct.TELL)
        if end.ended is FlowEnd.OPEN:
            self._do(commands.Discard(end.leg, why))
        other.abort_why = why
        self._do(commands.AwaitDelivery(other.leg, bounded=True))

    def _blackhole(self, why: str) -> None:
        self.blackholed = True
        self._do(commands.StopMoving(why))
        for end in self._ends.values():
            end.abort_why = None
            if end.kept:
                self._drop(end, why)
            elif end.flow_state is FlowState.TELLING:
                end.move_flow(FlowAct.DROP)

    def _let_go_of(self, end: Endpoint, why: str) -> None:
        if end.kept:
            self._report(f"{end.noun}.released", end, kept=round(end.let_go(self._now), 6), why=why)

    # --- legs -------------------------------------------------------------------------------------

    def _nobody_to_tell(self, end: Endpoint, why: str) -> None:
        """The receiver of this endpoint's flow is gone: what still comes is lost."""
        if end.kept:
            self._drop(end, why)
        elif end.flow_state is FlowState.TELLING:
            end.move_flow(FlowAct.DROP)
        if end.ended is FlowEnd.OPEN and end.alive:
            self._do(commands.Discard(end.leg, why))

    def _close_up(self, end: Endpoint) -> None:
        """Give a leg up when both FINs have passed, once the peer has acknowledged ours.

        Not earlier: a reset in place of the acknowledgement would go unseen, and with it lost bytes.
        """
        if end.leg_state is LegState.CLOSED:
            self._do(commands.AwaitDelivery(end.leg, bounded=False))

    def _abort_all(self, why: str) -> None:
        for end in self._ends.values():
            if end.alive:
                end.move_leg(LegAct.LOST)
                end.released = True
                self._do(commands.Abort(end.leg, why))

    # --- small words ------------------------------------------------------------------------------

    def _other(self, end: Endpoint) -> Endpoint:
        return self._ends[end.leg.other]

    def _do(self, command: commands.Command) -> None:
        self._out.append(command)

    def _report(self, event: str, end: Endpoint, **fields: str | float) -> None:
        self._do(commands.Report(event, end.leg, tuple(fields.items())))


def _watch(leg: Leg, moment: rules.Bytes | rules.After | rules.Idle) -> commands.Command:
    match moment:
        case rules.Bytes(count=count):
            return commands.WatchBytes(leg, count)
        case rules.After(delay=delay):
            return commands.StartTimer(commands.MomentTimer(leg, delay), delay)
        case rules.Idle(delay=delay):
            return commands.WatchIdle(leg, delay)
