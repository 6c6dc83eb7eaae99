"""What becomes of the end of a flow: the acts that all actions are made of.

Kept, passed on, dropped, cut, turned into a reset: each act moves the two tables and adds the commands that
carry it out. This module must not know which rule asked for an act, nor when: that is the engine's part.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from . import commands
from .endpoint import Endpoint, Kept
from .legs import LEGS, FlowEnd, Leg, Relayed
from .rulebook import InPlay
from .transitions import FlowAct, FlowState, LegAct, LegState


@dataclass(slots=True)
class Fates:
    """The two endpoints of a session, and the commands that the event at hand has given rise to."""

    ends: dict[Leg, Endpoint] = field(default_factory=lambda: {leg: Endpoint(leg) for leg in LEGS})
    now: float = 0.0
    out: list[commands.Command] = field(default_factory=list)
    blackholed: bool = False
    _serial: int = 0

    def begin(self, now: float) -> None:
        """Take up an event: what it gives rise to is gathered anew."""
        self.now = now
        self.out = []

    def keep(self, end: Endpoint, by: InPlay, limit: float | None = None) -> None:
        """Keep it from the other endpoint, until it is let go, or for `limit` seconds."""
        end.move_flow(FlowAct.KEEP)
        self._serial += 1
        since = end.kept.since if end.kept else self.now
        end.kept = Kept(by, since, self._serial)
        if limit is None:
            self.report(f"{end.noun}.held", end, rule=by.name)
        else:
            self.do(commands.StartTimer(commands.KeptTimer(end.leg, self._serial), limit))
            self.report(f"{end.noun}.held", end, rule=by.name, limit=limit)

    def pass_on(self, end: Endpoint, why: str = "") -> None:
        """Tell the other endpoint: FIN as FIN, anything else as RST, after every byte before it."""
        self.let_go_of(end, why)
        other = self.other(end)
        if end.kept_out:
            self.let_in(end)
        elif not other.alive:
            self.drop(end)
        elif end.ended is FlowEnd.FIN:
            self.tell_fin(end)
        elif other.leg_state is LegState.CLOSED:
            self.drop(end)  # both FINs have passed there: its last bytes may still be under way
        else:
            self.reset(end, end.lost_why)

    def meet(self, end: Endpoint, other: Endpoint) -> None:
        """Answer two FINs that are both kept out before either is let in: both endpoints are CLOSING then.

        Nothing is lost by it: for this action only FINs without data are kept out.
        """
        if end.kept_out and other.kept_out:
            self.tell_fin(end)
            self.tell_fin(other)

    def let_in(self, end: Endpoint) -> None:
        """Let a kept-out FIN in; once it is received, it is passed on without asking the rules again."""
        end.kept_out = False
        end.let_in = True
        end.armed = None
        self.do(commands.LetFinIn(end.leg))

    def drop(self, end: Endpoint, why: str = "") -> None:
        """Never tell it; `why` is reported where somebody decided so."""
        if end.kept:
            end.let_go(self.now)
        end.move_flow(FlowAct.DROP)
        self.do(commands.KeepBack(end.leg, 0))
        if why:
            self.report(f"{end.noun}.dropped", end, why=why)

    def cut(self, end: Endpoint, why: str) -> None:
        """End the flow towards the other endpoint with a FIN, whatever its source does."""
        # A segment that is kept out stays out: that is how an end can be told before it is accepted.
        if not end.kept_out:
            self.let_go_of(end, why)
        if end.ended is FlowEnd.OPEN:
            self.do(commands.Discard(end.leg, why))
        other = self.other(end)
        if not other.alive:
            self.drop(end)
        elif end.told is Relayed.NOTHING and other.abort_why is None:
            self.tell_fin(end)
        elif end.flow_state is FlowState.KEPT and not end.kept_out:
            self.drop(end)  # a reset was kept, but its FIN has told the end already

    def tell_fin(self, end: Endpoint) -> None:
        """Send a FIN to the other endpoint in the name of this one."""
        end.move_flow(FlowAct.TELL)
        if end.told is Relayed.FIN:
            end.move_flow(FlowAct.TOLD)
        elif not end.fin_asked:  # one may be waiting for room behind the last bytes
            end.fin_asked = True
            self.do(commands.SendFin(end.leg.other))

    def reset(self, end: Endpoint, why: str) -> None:
        """Reset the other endpoint once it has what was sent before, then what is left of this one."""
        self.let_go_of(end, why)
        other = self.other(end)
        if not other.alive:
            self.drop(end)
            self.abort_all(why)
            return
        end.move_flow(FlowAct.TELL)
        if end.ended is FlowEnd.OPEN:
            self.do(commands.Discard(end.leg, why))
        other.abort_why = why
        self.do(commands.AwaitDelivery(other.leg, bounded=True))

    def blackhole(self, why: str) -> None:
        """Move nothing any more."""
        self.blackholed = True
        self.do(commands.StopMoving(why))
        for end in self.ends.values():
            end.abort_why = None
            if end.kept:
                self.drop(end, why)
            elif end.flow_state is FlowState.TELLING:
                end.move_flow(FlowAct.DROP)

    def let_go_of(self, end: Endpoint, why: str) -> None:
        """Keep it no longer; what is done with it instead is up to the caller."""
        if end.kept:
            self.report(f"{end.noun}.released", end, kept=round(end.let_go(self.now), 6), why=why)

    # --- legs -------------------------------------------------------------------------------------

    def nobody_to_tell(self, end: Endpoint, why: str) -> None:
        """The receiver of this endpoint's flow is gone: what still comes is lost."""
        if end.kept_out and end.kept:
            self.pass_on(end, why)
        elif end.kept:
            self.drop(end, why)
        elif end.flow_state is FlowState.TELLING:
            end.move_flow(FlowAct.DROP)
        if end.ended is FlowEnd.OPEN and end.alive:
            self.do(commands.Discard(end.leg, why))

    def abort_all(self, why: str) -> None:
        """Reset both legs, as far as they are still there."""
        for end in self.ends.values():
            if end.alive:
                end.move_leg(LegAct.LOST)
                end.released = True
                self.do(commands.Abort(end.leg, why))

    # --- small words ------------------------------------------------------------------------------

    def other(self, end: Endpoint) -> Endpoint:
        """The endpoint on the opposite side."""
        return self.ends[end.leg.other]

    def do(self, command: commands.Command) -> None:
        """Add a command."""
        self.out.append(command)

    def report(self, event: str, end: Endpoint, **fields: str | float) -> None:
        """Add a record of a decision."""
        self.do(commands.Report(event, end.leg, tuple(fields.items())))
