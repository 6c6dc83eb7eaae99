"""The shell around one engine: it tells the engine what happens to two legs, and does what it says.

All of it runs in callbacks of the proxy's one wait (readiness.py) and timers: a session needs no task of
its own while bytes move. An error in here ends this session, is logged with its records, and nothing else.
This module must not know listeners, addresses to dial, or how records are written.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

from . import commands, events, rules
from .delivery import DeliveryWatch
from .describing import describe_ending
from .engine import Engine
from .legs import LEGS, Ending, FlowEnd, Leg, LegIO, LegLost
from .loss_watch import LossWatch
from .observers import Recorder
from .readiness import FAILED, FIN_BEHIND, MORE_BEHIND, READABLE, URGENT_BEHIND, WRITABLE, Readiness
from .records import Record, ending_fields
from .relay import Behind, Flow
from .rulebook import RuleBook
from .timers import Deadline, Timers
from .wire.technique import Sight
from .wire_watch import HeldLeg, WireWatch

if TYPE_CHECKING:
    from .toxics.in_force import InForce
    from .toxics.lines import Lines
    from .toxics.stage import Act

_log = logging.getLogger("finproxy")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sessions of one proxy share."""

    readiness: Readiness
    timers: Timers
    recorder: Recorder
    name: str | None = None
    delivery_limit: float = 10.0
    """Seconds that a reset waits, at most, for what was sent before it to be acknowledged."""
    wire: WireWatch | None = None
    """Keeps FIN segments out, where a rule asks for it."""


class Shell:
    """Carries out one session; called by the session, by its flows, and by timers."""

    def __init__(
        self, number: int, legs: dict[Leg, LegIO], book: RuleBook, surroundings: Surroundings
    ) -> None:
        self.number = number
        self.ending: Ending | None = None
        """How it ended; None while it lives."""
        self.legs = legs
        self._around = surroundings
        self._now = surroundings.timers.now
        self.engine = Engine(book)
        self.flows = {leg: Flow(leg, legs[leg], legs[leg.other], self) for leg in LEGS}
        self._opened_at = self._now()
        self._queue: deque[events.Event] = deque()
        self._handling = False
        self._deadlines: dict[object, Deadline] = {}
        self._holds: dict[Leg, HeldLeg] = {}
        """The legs whose FIN segment is kept out, or is to be."""
        self._delivery = DeliveryWatch(
            self._now,
            self._has_arrived,
            delivered=lambda leg: self.tell(events.Delivered(self.age, leg)),
            later=self._start,
        )
        self._losses = LossWatch(
            legs,
            self.flows,
            surroundings.delivery_limit,
            move=self._move,
            tell=self._tell_loss,
            later=self._start,
        )
        self._lines: Lines | None = None
        self._stopped_why: str | None = None
        self._given_up: set[Leg] = set()
        """Legs whose fd is closed: what the engine asked for, as far as it was carried out."""
        self.when_over: list[Callable[[], None]] = []
        """Called once both legs have been given up, and `ending` says how."""

    @property
    def age(self) -> float:
        """Seconds since the session opened."""
        return self._now() - self._opened_at

    # --- from the outside to the engine -------------------------------------------------------------

    def tell(self, event: events.Event) -> None:
        """Tell the engine, and carry out what it says; in turn, if this comes from within an act."""
        self._queue.append(event)
        if self._handling:
            return
        self._handling = True
        try:
            while self._queue and not self.ending:
                for command in self.engine.handle(self._queue.popleft()):
                    self._act(command)
                if self.engine.over:
                    self._finish()
            self._wants_changed()  # once for all commands: what was kept back may now wait for room
        finally:
            self._handling = False

    def flow_ended(self, flow: Flow) -> None:
        """EOF was read: a FIN, behind all of its bytes."""
        if held := self._holds.pop(flow.leg, None):
            held.close()
        self._record("fin.received", flow.leg, bytes=flow.received)
        self.tell(events.FinReceived(self.age, flow.leg))
        if self.legs[flow.leg].lost:
            self.leg_was_lost(flow.leg)

    def leg_was_lost(self, leg: Leg) -> None:
        """A call has met the loss of a leg: what it had received before must still be read first."""
        self._soon(partial(self._losses.pursue, leg))

    def mark_reached(self, flow: Flow, count: int) -> None:
        """A byte that a rule waits for has been passed on."""
        self.tell(events.BytesReached(self.age, flow.leg, count))

    def fin_left(self, flow: Flow) -> None:
        """A FIN has been sent, on the leg opposite to the flow's source."""
        self._record("fin.sent", flow.leg.other)
        self.tell(events.FinSent(self.age, flow.leg.other))

    def open(self) -> None:
        """Begin to relay."""
        for leg, io in self.legs.items():
            self._around.readiness.watch(io.fd, partial(self._ready, leg), partial(self._wanted, leg))
        if self._around.recorder:
            client, server = (self.legs[leg] for leg in LEGS)
            self._record(
                "session.opened",
                client=list(client.remote),
                listen=list(client.local),
                local=list(server.local),
                server=list(server.remote),
            )
        self.tell(events.SessionOpened(0.0))
        if self._around.wire:
            for leg in set(Leg) - set(self._holds) - self._given_up:
                self._around.wire.let_pass(leg, self.legs[leg])

    def _ready(self, leg: Leg, bits: int) -> None:
        """A leg can be read or written: the one call that every message takes."""
        try:
            if bits & FAILED and self.legs[leg].look_for_loss():
                self._losses.pursue(leg)
            if bits & ~WRITABLE:
                self._move(self.flows[leg], _behind(bits))
            if bits & WRITABLE and self.flows[leg.other].blocked:
                self._move(self.flows[leg.other])
            if leg in self._delivery.awaited:
                self._delivery.look(leg)
        except Exception as error:
            self._crash(error)

    def _wanted(self, leg: Leg) -> int:
        reads = READABLE if self.flows[leg].wants_read else 0
        return reads | (WRITABLE if self.flows[leg.other].blocked else 0)

    def _move(self, flow: Flow, behind: Behind = Behind.UNKNOWN) -> None:
        if self.ending:
            return
        was_blocked = flow.blocked
        if flow.move(behind):
            self._move_soon(flow)
        if flow.blocked is not was_blocked:
            self._wants_changed()

    def _wants_changed(self) -> None:
        """What happened to one flow changes what is wanted of both legs: room here, bytes there."""
        for io in self.legs.values():
            self._around.readiness.wants_changed(io.fd)

    def _move_soon(self, flow: Flow) -> None:
        self._soon(partial(self._move_again, flow))

    def _move_again(self, flow: Flow) -> None:
        """Move what no socket asked for: what was left for another turn, or has come out of a line."""
        self._move(flow)
        self._wants_changed()  # a line that has run empty, or has room now, wants to be read again

    def _tell_loss(self, leg: Leg, lost: LegLost) -> None:
        if self.ending:
            return
        if lost.how is FlowEnd.RESET:
            self._record("reset.received", leg, bytes=self.flows[leg].received)
            self.tell(events.ResetReceived(self.age, leg))
        else:
            self.tell(events.LegFailed(self.age, leg, lost.reason))

    # --- toxics -------------------------------------------------------------------------------------

    def change_toxics(self, toxics: Sequence[InForce]) -> None:
        """Let these toxics do what they do to bytes, from now on."""
        if self._lines is None:
            if not toxics:
                return
            from .toxics.lines import Lines  # most proxies never need it

            self._lines = Lines(
                self.legs,
                self.flows,
                self._now,
                later=self._start,
                move=self._move_again,
                act=self._toxic_acts,
            )
        self._lines.change(toxics)

    def _toxic_acts(self, leg: Leg, act: Act) -> None:
        self.tell(events.ActionRequested(self.age, leg, act.action, act.toxic))

    # --- from the engine to the legs ----------------------------------------------------------------

    def _act(self, command: commands.Command) -> None:
        match command:
            case commands.KeepFinOut(leg=leg, action=action):
                self._keep_fin_out(leg, action)
            case commands.LetFinIn(leg=leg):
                self._let_fin_in(leg)
            case commands.SendFin(leg=leg):
                self.flows[leg.other].finish()
            case commands.AwaitDelivery(leg=leg, bounded=bounded):
                self._await_delivery(leg, bounded=bounded)
            case commands.Abort(leg=leg, why=why):
                self._give_up(leg, why)
                self.legs[leg].abort()
                self._record("reset.sent", leg, why=why)
            case commands.Release(leg=leg, why=why):
                self._give_up(leg, why)
                self.legs[leg].release()
            case commands.Discard(leg=leg, why=why):
                self.flows[leg].discard(why)
                self._move_soon(self.flows[leg])
            case commands.StopMoving(why=why):
                self._stop_moving(why)
            case commands.KeepBack(leg=leg, count=count):
                self._keep_back(leg, count)
            case commands.DropNewest(leg=leg, count=count, why=why):
                self.flows[leg].drop_newest(count, why)
            case commands.WatchBytes(leg=leg, count=count):
                if count > self.flows[leg].received:  # rules may change when that byte has long passed
                    self.flows[leg].mark(count)
            case commands.WatchIdle(leg=leg, delay=delay):
                self._watch_idle(leg, delay)
            case commands.StartTimer(timer=timer, delay=delay):
                self._start(timer, delay, lambda: self.tell(events.TimerFired(self.age, timer)))
            case commands.Report(event=event, leg=leg, fields=fields):
                self._record(event, leg, **dict(fields), **self._technique(event, leg))
            case _:
                assert_never(command)

    def _keep_fin_out(self, leg: Leg, action: rules.Action) -> None:
        wire = self._around.wire
        assert wire is not None, "a proxy with a rule at wire has a technique"
        flow = self.flows[leg]
        flow.paused = wire.technique.abilities.stops_reading
        told = partial(self._sighted, leg)
        self._holds[leg] = wire.hold(self.legs[leg], action, told, lambda: flow.arrived)

    def _sighted(self, leg: Leg, sight: Sight) -> None:
        """Something decisive was seen of a segment that was to be kept out."""
        if sight in (Sight.KEPT_OUT, Sight.WINDOW_SHUT):
            self.guard(lambda: self.tell(events.FinKeptOut(self.age, leg)))
        elif sight is Sight.OVERTOOK:
            self.guard(lambda: self.tell(events.FinOvertook(self.age, leg)))
        else:  # it came in, or the leg is lost: reading tells which
            self.flows[leg].paused = False
            self._move_soon(self.flows[leg])

    def _let_fin_in(self, leg: Leg) -> None:
        self._holds[leg].release()
        self.flows[leg].paused = False
        self._move_soon(self.flows[leg])

    def _technique(self, event: str, leg: Leg) -> dict[str, str]:
        """Which technique keeps an end out, for the record that says that it is held."""
        if event != "fin.held" or not self.engine.endpoint(leg).kept_out or not self._around.wire:
            return {}
        return {"technique": self._around.wire.technique.name}

    def _await_delivery(self, leg: Leg, *, bounded: bool) -> None:
        self.flows[leg.other].flush()
        self._delivery.wait_for(leg, self._around.delivery_limit if bounded else math.inf)

    def _has_arrived(self, leg: Leg) -> bool:
        return not self.flows[leg.other].blocked and self.legs[leg].settled()

    def _give_up(self, leg: Leg, why: str) -> None:
        """Account for what is lost with a leg, and stop watching it; the caller closes it."""
        io = self.legs[leg]
        why = self._stopped_why or why  # what a blackhole has swallowed, the blackhole has lost
        self._given_up.add(leg)
        self._delivery.forget(leg)
        if held := self._holds.pop(leg, None):
            held.close()
        self._around.readiness.forget(io.fd)
        self.flows[leg.other].sink_is_gone(io.unacknowledged(), why)
        flow = self.flows[leg]
        flow.source_is_gone(0 if flow.ended else io.unread(), why)  # behind an end there is nothing

    def _keep_back(self, leg: Leg, count: int) -> None:
        self.flows[leg].keep_back(count)
        if count == 0:
            self.flows[leg].flush()
            self._move_soon(self.flows[leg])

    def _stop_moving(self, why: str) -> None:
        self._stopped_why = why
        for flow in self.flows.values():
            flow.stopped = True

    def _watch_idle(self, leg: Leg, delay: float) -> None:
        flow = self.flows[leg]
        flow.clock, flow.last_read = self._now, self._now()

        def look() -> None:
            left = flow.last_read + delay - self._now()
            if left > 0:
                self._start(("idle", leg, delay), left, look)
            else:
                self.tell(events.IdleReached(self.age, leg, delay))

        self._start(("idle", leg, delay), delay, look)

    # --- the end --------------------------------------------------------------------------------

    def _finish(self) -> None:
        for deadline in self._deadlines.values():
            deadline.cancel()
        self._deadlines.clear()
        self.ending = describe_ending(self.engine, self.flows, self.age)
        if self._around.recorder:
            self._record("session.closed", **ending_fields(self.ending))
        for call in self.when_over:
            call()

    # --- small words ------------------------------------------------------------------------------

    def _record(self, event: str, leg: Leg | None = None, **fields: Any) -> None:
        if self._around.recorder:
            record = Record(event, self.age, time.time(), self._around.name, self.number, leg, fields)
            self._around.recorder.emit(record)

    def _start(self, key: object, delay: float, act: Callable[[], None]) -> None:
        if self.ending:
            return
        if earlier := self._deadlines.get(key):
            earlier.cancel()
        when = self._now() + delay
        self._deadlines[key] = self._around.timers.call_at(when, lambda: self.guard(act))

    def _soon(self, act: Callable[[], None]) -> None:
        self._around.readiness.soon(lambda: self.guard(act))

    def guard(self, act: Callable[[], None]) -> None:
        """Do something; if it fails, that is a defect, and this session pays for it alone."""
        if self.ending:
            return
        try:
            act()
        except Exception as error:
            self._crash(error)

    def _crash(self, error: Exception) -> None:
        """End the session without the engine, whose state cannot be relied on any more."""
        _log.error("session %d crashed", self.number, exc_info=error)
        self._record("session.crashed", why=repr(error))
        for leg in LEGS:
            if leg not in self._given_up:
                self._give_up(leg, "the session crashed")
                self.legs[leg].abort()
        self.engine.aborted = f"the session crashed: {error!r}"
        self._finish()


def _behind(bits: int) -> Behind:
    """What comes after the bytes that can be read now."""
    if not bits & (FAILED | MORE_BEHIND):
        return Behind.NOTHING
    return Behind.FIN if bits & FIN_BEHIND and not bits & (FAILED | URGENT_BEHIND) else Behind.UNKNOWN
