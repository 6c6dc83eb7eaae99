"""Looks at the legs whose FIN is to be kept out, for all sessions of a proxy, and says when one has come.

The bridge between the techniques (wire/), which know no time, and the sessions, which know no segments.
This module must not know how a technique works, nor decide when a FIN is let in: the engine does.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Iterable
from typing import Final

import trio

from . import rules
from .legs import Leg, LegIO
from .rules import Rule
from .sockets import SocketLeg
from .wire.choice import Needs, choose
from .wire.technique import Keep, Sight, Technique, WireHold

_LOOKING_SHARE: Final = 20
"""Looking at all legs may take one part in so many of the time, however many legs there are."""

_UNDECIDED = (Sight.NOTHING, Sight.KEPT_OUT, Sight.WINDOW_SHUT)


class HeldLeg:
    """One leg whose endpoint's segments are kept out, and what was seen of them."""

    def __init__(
        self, hold: WireHold, watch: WireWatch, told: Callable[[Sight], None], looks: Callable[[Sight], bool]
    ) -> None:
        self._hold = hold
        self._watch = watch
        self._told = told
        self._goes_on = looks

    def look(self) -> None:
        """See what has come; what is worth telling is told once, and then nobody looks any more."""
        sight = self._hold.look()
        if not self._goes_on(sight):
            self._watch.forget(self)
            self._told(sight)

    def release(self) -> None:
        """Let in what was kept out."""
        self._watch.forget(self)
        self._hold.release()

    def close(self) -> None:
        """Give the leg up: before its fd is released, or when its EOF has been read."""
        self._watch.forget(self)
        self._hold.close()


class WireWatch:
    """One technique at work for one proxy."""

    def __init__(self, technique: Technique, at_wire: Iterable[Rule]) -> None:
        self.technique = technique
        self._rules = tuple(at_wire)
        self._keeps = _keeps(self._rules)
        self._held: set[HeldLeg] = set()
        self._any_held = trio.Event()

    def check(self) -> None:
        """Find out at start whether the technique can keep out what the rules ask for.

        Raises:
            WireError: it cannot.
        """
        for keep in {_keep(rule.action) for rule in self._rules}:
            with socket.socket() as trial:
                self.technique.prepare(trial, keep)

    def prepare(self, leg: Leg, sock: socket.socket) -> None:
        """Make a socket that will be listening (client leg) or connecting (server leg) keep FINs out."""
        if leg in self._keeps:
            self.technique.prepare(sock, self._keeps[leg])

    def hold(
        self, io: LegIO, action: rules.Action, told: Callable[[Sight], None], received: Callable[[], int]
    ) -> HeldLeg:
        """Take charge of a leg, and tell what is seen of its endpoint's FIN.

        Args:
            io: the leg.
            action: what a rule wants to be done to the FIN.
            told: called once, with the first sight that decides something.
            received: how many bytes have come from the endpoint by now.
        """
        hold = self.technique.hold(_socket(io), _keep(action))
        goes_on = _only_undecided
        if isinstance(action, rules.Overtake):
            goes_on = _Overtaking(hold, action.limit, received).goes_on
        held = HeldLeg(hold, self, told, goes_on)
        self._held.add(held)
        self._any_held.set()
        return held

    def let_pass(self, leg: Leg, io: LegIO) -> None:
        """Let everything in on a leg that was prepared, but that no rule in play concerns."""
        if leg in self._keeps:
            self.technique.hold(_socket(io), self._keeps[leg]).close()

    def forget(self, held: HeldLeg) -> None:
        """Look at it no more."""
        self._held.discard(held)

    def close(self) -> None:
        """Undo what was done to the machine."""
        self.technique.close()

    async def run(self) -> None:
        """Look at all legs, again and again, for ever."""
        while True:
            await self._any_held.wait()
            started = time.perf_counter()
            for held in tuple(self._held):
                if held in self._held:  # what an earlier one was told may have ended this one's session
                    held.look()
            spent = time.perf_counter() - started
            if not self._held:
                self._any_held = trio.Event()
            with trio.move_on_after(max(self.technique.look_every, _LOOKING_SHARE * spent)):
                await self._something_to_see()

    async def _something_to_see(self) -> None:
        fd = self.technique.fileno()
        if fd is None or not self._held:
            await trio.sleep_forever()
        else:
            await trio.lowlevel.wait_readable(fd)


class _Overtaking:
    """Data waits until the FIN has passed it, or for a limit; then it is let in, and the next is caught."""

    def __init__(self, hold: WireHold, limit: float, received: Callable[[], int]) -> None:
        self._hold = hold
        self._limit = limit
        self._received = received
        self._deadline = math.inf
        self._let_in_at: int | None = None

    def goes_on(self, sight: Sight) -> bool:
        """Whether to look again."""
        if sight not in _UNDECIDED:
            self._hold.release()
            return False
        if self._let_in_at is not None:
            self._catch_the_next()
        elif sight is Sight.KEPT_OUT:
            self._wait_no_longer_than_asked()
        return True

    def _wait_no_longer_than_asked(self) -> None:
        now = trio.current_time()
        self._deadline = min(self._deadline, now + self._limit)
        if now >= self._deadline:
            self._deadline = math.inf
            self._let_in_at = self._received()
            self._hold.release()

    def _catch_the_next(self) -> None:
        """Once what was let in has been read, the data after it can be overtaken again."""
        if self._received() != self._let_in_at:
            self._let_in_at = None
            self._hold.arm()


async def open_watch(proxy_rules: Iterable[Rule], forced: str | None) -> WireWatch | None:
    """The watch that these rules need, or None where none acts at the wire.

    Raises:
        WireError: no technique serves them here; says what is missing.
    """
    at_wire = [rule for rule in proxy_rules if rule.at_wire]
    if not at_wire:
        return None
    needs = Needs(overtake=any(isinstance(rule.action, rules.Overtake) for rule in at_wire))
    watch = WireWatch(await trio.to_thread.run_sync(choose, needs, forced), at_wire)
    try:
        watch.check()
    except BaseException:
        watch.close()
        raise
    return watch


def _only_undecided(sight: Sight) -> bool:
    return sight is Sight.NOTHING


def _keep(action: rules.Action) -> Keep:
    if isinstance(action, rules.Overtake):
        return Keep.DATA
    # Both FINs are answered before either is let in: data in their segments would come too late.
    return Keep.BARE_FIN if isinstance(action, rules.Simultaneous) else Keep.FIN


def _keeps(at_wire: Iterable[Rule]) -> dict[Leg, Keep]:
    """What sockets of each leg keep out from their birth: what the first rule at wire wants."""
    keeps: dict[Leg, Keep] = {}
    for rule in at_wire:
        for leg in Leg:
            if rule.concerns(leg):
                keeps.setdefault(leg, _keep(rule.action))
    return keeps


def _socket(io: LegIO) -> socket.socket:
    if not isinstance(io, SocketLeg):
        raise TypeError(f"only a socket's segments can be kept out, found {io!r}")
    return io.socket
