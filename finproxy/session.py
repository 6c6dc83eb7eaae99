"""One session, as its users see it: which endpoints it joins, what is held of them, and what to do about it.

This module must not know how commands are carried out (shell.py), nor listeners and dialling (server.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from . import events, rules
from .endpoint import Kept
from .errors import FinproxyError
from .legs import Connection, Ending, Leg, LegIO
from .rulebook import InPlay, RuleBook
from .shell import Shell, Surroundings
from .transitions import FlowState, LegState

if TYPE_CHECKING:
    from .toxics.in_force import InForce


class NotHeldError(FinproxyError):
    """Somebody asked to release what is not held, or to hold what has already gone."""


class Session:
    """A pair of legs, from the moment both are established until both have been given up."""

    def __init__(
        self, number: int, legs: dict[Leg, LegIO], book: RuleBook, surroundings: Surroundings
    ) -> None:
        self.number = number
        self._shell = Shell(number, legs, book, surroundings)

    @property
    def client(self) -> Connection:
        """The client's end of the client leg, as `harness.watch` looks it up."""
        return self._endpoint_of(Leg.CLIENT)

    @property
    def server(self) -> Connection:
        """The server's end of the server leg."""
        return self._endpoint_of(Leg.SERVER)

    def leg_state(self, leg: Leg) -> LegState:
        """What a process can know of its leg: which of the two FINs have passed, or that it is aborted."""
        return self._shell.engine.endpoint(leg).leg_state

    def flow_state(self, leg: Leg) -> FlowState:
        """What became of the end of this endpoint's flow."""
        return self._shell.engine.endpoint(leg).flow_state

    def tcp_state(self, leg: Leg) -> str | None:
        """The kernel's state of the proxy's end of a leg; None where nobody can tell, or it is closed."""
        return self._shell.legs[leg].tcp_state()

    def armed(self, leg: Leg) -> bool:
        """Whether an action waits for the end of this endpoint's flow to come."""
        return self.waiting(leg) is not None

    def waiting(self, leg: Leg) -> InPlay | None:
        """What waits for the end of this endpoint's flow to come."""
        return self._shell.engine.endpoint(leg).waiting

    @property
    def ending(self) -> Ending | None:
        """How it ended; None while it lives."""
        return self._shell.ending

    @property
    def age(self) -> float:
        """Seconds since it opened."""
        return self._shell.age

    def bytes_from(self, leg: Leg) -> int:
        """Bytes that have come from the endpoint of `leg`."""
        return self._shell.flows[leg].arrived

    def lost_from(self, leg: Leg) -> int:
        """Bytes from the endpoint of `leg` that are known to be lost."""
        return sum(self._shell.flows[leg].losses.values())

    def kept(self, leg: Leg) -> Kept | None:
        """What is being kept of the end of this endpoint's flow."""
        return self._shell.engine.endpoint(leg).kept

    def hold(self, leg: Leg) -> None:
        """Hold the end of this endpoint's flow when it comes, or keep holding it, until released.

        Raises:
            NotHeldError: the other endpoint has been told already.
        """
        end = self._shell.engine.endpoint(leg)
        if self.ending or (end.has_come and end.kept is None):
            raise NotHeldError(f"session {self.number}: the end of the {leg}'s flow has gone by already")
        self.act(leg, rules.Hold())

    def act(self, leg: Leg, action: rules.Action) -> None:
        """Do to this endpoint's flow, now, what a rule with this action would do.

        What needs an end to act on, such as `Delay`, waits for it if none has come yet.
        """
        self._shell.guard(lambda: self._shell.tell(events.ActionRequested(self.age, leg, action)))

    def change_toxics(self, toxics: Sequence[InForce]) -> None:
        """Let these toxics be in force from now on; those that are rules come with the book."""
        self._shell.guard(lambda: self._shell.change_toxics(toxics))

    def change_rules(self, book: RuleBook) -> None:
        """Let other rules hold from now on; what is kept stays kept."""
        self._shell.guard(lambda: self._shell.tell(events.RulesChanged(self.age, book)))

    def release(self, leg: Leg) -> None:
        """Let go what is kept of this endpoint, or call off a hold that was asked for.

        Raises:
            NotHeldError: nothing of it is held.
        """
        end = self._shell.engine.endpoint(leg)
        if self.ending or (end.kept is None and not (end.waiting and end.waiting.requested)):
            raise NotHeldError(
                f"session {self.number}: nothing of the {leg} is held "
                f"(its flow is {end.flow_state.value}); see which ends are held before releasing one"
            )
        self._shell.guard(lambda: self._shell.tell(events.Released(self.age, leg)))

    def abort(self, why: str) -> None:
        """End it now, with a reset on both legs."""
        self._shell.guard(lambda: self._shell.tell(events.AbortRequested(self.age, why)))

    def open(self, over: Callable[[], None] | None = None) -> None:
        """Begin to relay; `over` is called once both legs have been given up."""
        if over:
            self._shell.when_over.append(over)
        self._shell.guard(self._shell.open)

    async def wait_over(self) -> Ending:
        """Wait until both legs have been given up; how it ended."""
        await trio.lowlevel.checkpoint()
        if self.ending is None:
            over = trio.Event()
            self._shell.when_over.append(over.set)
            await over.wait()
        assert self.ending is not None
        return self.ending

    def _endpoint_of(self, leg: Leg) -> Connection:
        io = self._shell.legs[leg]
        return Connection(local=io.remote, remote=io.local)
