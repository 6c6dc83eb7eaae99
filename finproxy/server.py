"""One proxy: it listens, begins sessions, changes them while they live, and stops gracefully.

No task for a connection, only callbacks (readiness.py): a session costs what it does, and not what it is
scheduled for. This module must not know what sessions do with their bytes, and no command line.
"""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

import trio

from . import chance
from .accepting import Acceptor
from .addresses import format_address
from .legs import Address, Ending, Leg, LegIO
from .notation import parse_action, parse_rule
from .reception import Reception
from .records import Record
from .rulebook import InPlay, RuleBook
from .rules import Action, Delay, Rule
from .session import NotHeldError, Session
from .settings import Settings
from .shell import Surroundings
from .toxics.in_force import InForce, draw, rules_in_play
from .toxics.values import Toxic
from .upstream import Upstream
from .wire.technique import WireError

_RECORDS_WAITING: Final = 100_000
"""Records that a slow reader of the stream may leave waiting before it is unplugged."""


class Proxy:
    """A running proxy, as `open_proxy` gives it."""

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        around: Surroundings,
    ) -> None:
        self.settings = settings
        self.sessions: dict[int, Session] = {}
        """The live sessions by number."""
        self._around = around
        self._upstream = Upstream(
            settings.upstream, settings.connect_timeout, around.readiness, around.timers, around.wire
        )
        self._reception = Reception(
            settings,
            self._upstream,
            around,
            self.sessions,
            begin=self._begin,
            turned_away=self._one_served,
            record=self._record,
        )
        self._acceptor = Acceptor(listener, around.readiness, around.timers, self._reception.greet)
        self._all_served = trio.Event()
        self._fixed_book = _book_without_chance(settings.rules)

    # --- for users --------------------------------------------------------------------------------

    @property
    def address(self) -> Address:
        """Host and port that clients connect to."""
        return self._acceptor.address

    @property
    def url(self) -> str:
        """The address as text, ``127.0.0.1:9000``."""
        return format_address(self.address)

    @property
    def technique(self) -> str | None:
        """What keeps FIN segments out, by name; None where no rule asks for it."""
        return self._around.wire.technique.name if self._around.wire else None

    @property
    def next_session(self) -> int:
        """The number that the next connection gets."""
        return self._reception.count + 1

    async def hold(self, session: int | Session, leg: str | Leg) -> None:
        """Hold the end of an endpoint's flow when it comes, whatever the rules say.

        Raises:
            NotHeldError: there is no such session, or that end has gone by already.
        """
        self._find(session).hold(Leg(leg))
        await trio.lowlevel.checkpoint()

    async def release(self, session: int | Session, leg: str | Leg) -> None:
        """Let go what is held of an endpoint.

        Raises:
            NotHeldError: there is no such session, or nothing of that endpoint is held.
        """
        self._find(session).release(Leg(leg))
        await trio.lowlevel.checkpoint()

    async def act(self, session: int | Session, leg: str | Leg, action: str | Action) -> None:
        """Do now what a rule with this action would do to an endpoint's flow: ``act(1, "client", "fin")``.

        Raises:
            NotHeldError: there is no such session.
            NotationError: the action is not in the notation.
        """
        parsed = parse_action(action) if isinstance(action, str) else action
        self._find(session).act(Leg(leg), parsed)
        await trio.lowlevel.checkpoint()

    async def set_rules(self, rules: Iterable[str | Rule]) -> None:
        """Let other rules hold from now on, also in the sessions that are open.

        What has been decided stays as it is: what is held stays held, and a moment that has passed does not
        come back.

        Raises:
            NotationError: a rule is not in the notation. All rules stay as they were.
            WireError: a rule at wire is new. Segments can only be kept out from a session's beginning on.
        """
        parsed = tuple(parse_rule(rule) if isinstance(rule, str) else rule for rule in rules)
        if new := [str(r) for r in parsed if r.at_wire and r not in self.settings.rules]:
            raise WireError(
                f"'{new[0]}' cannot be added to a running proxy: segments can only be kept out from a "
                "session's beginning on, for which its listening socket is prepared before clients connect",
                f"open a proxy with it instead: finproxy create NAME LISTEN UPSTREAM --rule '{new[0]}'",
            )
        self.settings = replace(self.settings, rules=parsed)
        self._fixed_book = _book_without_chance(parsed)
        self._record("rules.changed", rules=[str(rule) for rule in parsed])
        for number, session in list(self.sessions.items()):
            session.change_rules(self._book(number, self._in_force(number)))
        await trio.lowlevel.checkpoint()

    @property
    def toxics(self) -> tuple[Toxic, ...]:
        """The toxics, in the order in which bytes pass through them."""
        return self.settings.toxics

    async def set_toxics(self, toxics: Iterable[Toxic]) -> None:
        """Let these be the toxics from now on, also in the sessions that are open.

        One that was there before, by its name, goes on with what it has kept and counted; one that is gone
        lets go what it kept, in order, and no byte is lost by that.

        Raises:
            ToxicError: two have the same name. All toxics stay as they were.
        """
        self.settings = replace(self.settings, toxics=tuple(toxics))
        self._record("toxics.changed", toxics=[toxic.as_dict() for toxic in self.toxics])
        for number, session in list(self.sessions.items()):
            in_force = self._in_force(number)
            session.change_toxics(in_force)
            session.change_rules(self._book(number, in_force))
        await trio.lowlevel.checkpoint()

    async def release_all(self) -> int:
        """Let go everything that is held; how many ends that were."""
        held = [(session, leg) for session in self.sessions.values() for leg in Leg if session.kept(leg)]
        for session, leg in held:
            if session.kept(leg):  # an earlier release may have let this one go as well
                session.release(leg)
        await trio.lowlevel.checkpoint()
        return len(held)

    @asynccontextmanager
    async def records(self) -> AsyncIterator[trio.MemoryReceiveChannel[Record]]:
        """The records from now on: ``async with proxy.records() as records: async for record in records``."""
        send, receive = trio.open_memory_channel[Record](_RECORDS_WAITING)

        def pass_on(record: Record) -> None:
            try:
                send.send_nowait(record)
            except trio.WouldBlock:
                send.close()  # the stream ends for its reader, instead of falling silent
                raise

        self._around.recorder.add(pass_on)
        with send, receive:
            try:
                yield receive
            finally:
                self._around.recorder.remove(pass_on)

    async def stop(self, grace: float | None = None) -> list[Ending]:
        """Stop accepting, let sessions finish for `grace` seconds, then abort: the endings of those."""
        self._acceptor.stop()
        with trio.move_on_after(self.settings.grace if grace is None else grace):
            await self._wait_until_served()
        late = list(self.sessions.values())
        for session in late:
            session.abort("the proxy was stopped")
        self._reception.refuse_all("the proxy was stopped")
        await trio.lowlevel.checkpoint()
        return [session.ending for session in late if session.ending]

    # --- at work ----------------------------------------------------------------------------------

    def announce(self) -> None:
        """Write the journal's first record: where it listens, and all that is needed to repeat the run."""
        self._record(
            "proxy.listening",
            address=list(self.address),
            upstream=format_address(self.settings.upstream),
            rules=[str(rule) for rule in self.settings.rules],
            toxics=[toxic.as_dict() for toxic in self.toxics],
            seed=self.settings.seed,
            technique=self.technique,
        )

    async def run(self) -> None:
        """Accept until `stop`, and find the upstream until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._upstream.run)
            await self._acceptor.run()
            self._record("proxy.stopping")

    def _begin(self, number: int, client: LegIO, server: LegIO) -> None:
        """Both legs are there: a session begins."""
        in_force = self._in_force(number)
        legs = {Leg.CLIENT: client, Leg.SERVER: server}
        session = Session(number, legs, self._book(number, in_force), self._around)
        if in_force:
            session.change_toxics(in_force)
        self.sessions[number] = session
        try:
            session.open(partial(self._ended, number))
        except BaseException:
            self.sessions.pop(number, None)  # nobody may act on legs that are closed now
            raise

    def _ended(self, number: int) -> None:
        del self.sessions[number]
        self._one_served()

    def _book(self, number: int, in_force: list[InForce]) -> RuleBook:
        # Toxics first: they were added to a proxy that has its rules already, to do something all the same.
        return self._book_of_rules(number).behind(rules_in_play(in_force))

    def _book_of_rules(self, number: int) -> RuleBook:
        if self._fixed_book is not None:
            return self._fixed_book
        return RuleBook.draw(self.settings.rules, chance.of_session(self.settings.seed, number))

    def _in_force(self, number: int) -> list[InForce]:
        return draw(self.toxics, lambda toxic: chance.of_toxic(self.settings.seed, number, toxic))

    def _find(self, session: int | Session) -> Session:
        number = session if isinstance(session, int) else session.number
        if number not in self.sessions:
            live = ", ".join(map(str, sorted(self.sessions))) or "none"
            raise NotHeldError(f"there is no live session {number}; live: {live}")
        return self.sessions[number]

    def _one_served(self) -> None:
        if not (self.sessions or self._reception.waiting):
            self._all_served.set()

    async def _wait_until_served(self) -> None:
        while self.sessions or self._reception.waiting:
            self._all_served = trio.Event()
            await self._all_served.wait()

    def _record(self, event: str, session: int | None = None, t: float = 0.0, **fields: Any) -> None:
        if self._around.recorder:
            self._around.recorder.emit(
                Record(event, t, time.time(), self.settings.name, session, None, fields)
            )


def _book_without_chance(rules: tuple[Rule, ...]) -> RuleBook | None:
    """One book for all sessions, where nothing in it is left to chance."""
    if any(r.probability < 1 or (isinstance(r.action, Delay) and r.action.jitter) for r in rules):
        return None
    return RuleBook(InPlay(rule) for rule in rules)
