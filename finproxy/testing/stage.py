"""A session on stage: two fake endpoints play, a real `Session` with real rules relays between them.

This module must not know how the fakes work.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio
import trio.testing

from ..chance import of_toxic
from ..legs import FlowEnd, Leg
from ..notation import parse_rule
from ..observers import Recorder
from ..reading import Reader
from ..records import Record
from ..rulebook import RuleBook
from ..session import Session
from ..shell import Surroundings
from ..timers import Timers
from ..toxics.in_force import draw, rules_in_play
from ..toxics.values import Toxic
from ..units import format_duration, read_duration
from .fakes import FakeEndpoint, fake_connection
from .readiness import FakeReadiness

_SAME_TIME = 1e-6
"""Seconds by which two times may differ and still be the same: durations are sums of floats."""

_PATIENCE = 86_400.0
"""Seconds after which an expected sight will not come any more; by the autojump clock they cost nothing."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Two endpoints, the session between them, and all records so far."""

    client: FakeEndpoint
    server: FakeEndpoint
    session: Session
    records: list[Record]
    _book: RuleBook
    _seed: int

    def set_toxics(self, *toxics: Toxic) -> None:
        """Let these be the toxics of the session from now on, as `Proxy.set_toxics` does."""
        in_force = draw(toxics, lambda toxic: of_toxic(self._seed, self.session.number, toxic))
        self.session.change_toxics(in_force)
        self.session.change_rules(self._book.behind(rules_in_play(in_force)))

    def events(self) -> list[str]:
        """What the records tell, in short: ``["session.opened", "client fin.received", ...]``."""
        return [f"{record.leg} {record.event}" if record.leg else record.event for record in self.records]


@asynccontextmanager
async def open_session(
    *rules: str,
    toxics: Sequence[Toxic] = (),
    seed: int = 0,
    delivery_limit: float = 10.0,
    **connection: Any,
) -> AsyncIterator[Stage]:
    """A session with these rules between two fake endpoints, for as long as the block lasts.

    Args:
        rules: in the notation; the first that matches wins.
        toxics: what is done to the bytes from the beginning on.
        seed: for probabilities and jitter.
        delivery_limit: seconds that a reset waits for what was sent before it.
        connection: ``room`` and ``window`` of both legs, see `fake_connection`.
    """
    readiness, timers, records = FakeReadiness(), Timers(), list[Record]()
    client, client_leg = fake_connection(1, readiness, **connection)
    server, server_leg = fake_connection(2, readiness, **connection)
    around = Surroundings(readiness, timers, Recorder([records.append]), delivery_limit=delivery_limit)
    book = RuleBook.draw([parse_rule(rule) for rule in rules], random.Random(seed).random)
    session = Session(1, {Leg.CLIENT: client_leg, Leg.SERVER: server_leg}, book, around)
    stage = Stage(client, server, session, records, book, seed)
    stage.set_toxics(*toxics)
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        for task in (readiness.run, timers.run):
            nursery.start_soon(task)
        session.open()
        try:
            yield stage
        except BaseException as error:
            failure = error  # raised outside of the nursery: a test's failure is better read in no group
        session.abort("the stage was left")
        nursery.cancel_scope.cancel()
    if failure:
        raise failure


async def run_script(script: str, *rules: str, **settings: Any) -> Stage:
    """Play a script, one act a line, under Trio's autojump clock; the stage as it was at the end.

    ::

        client sends 'ping'
        server sees 'ping'
        client sends FIN
        +2s server sees FIN
        server sends RST
        client sees RST
        +1h client sees nothing

    ``+2s`` is the time since the line before; without it, no time may pass. An endpoint ``sees`` bytes, FIN,
    RST or nothing. ``hold client``, ``release client`` and ``abort`` are requests to the session. An empty
    line, or one that begins with ``#``, is skipped.

    Raises:
        NotationError: a line cannot be read.
        AssertionError: an endpoint saw something else, or at another time; it names the line.
    """
    lines = [line.strip() for line in script.splitlines()]
    acts = [(line, _read_act(Reader(line))) for line in lines if line and not line.startswith("#")]
    async with open_session(*rules, **settings) as stage:
        for line, act in acts:
            try:
                await act(stage)
            except AssertionError as error:
                raise AssertionError(f"{line}: {error}") from error
    return stage


_Act = Callable[[Stage], Awaitable[None]]


def _read_act(reader: Reader) -> _Act:
    delay = read_duration(reader) if reader.take(r"\+") else 0.0
    word = reader.choice("an endpoint or a request", {word: word for word in _FIRST_WORDS})
    if word == "abort":
        act = _after(delay, lambda stage: stage.session.abort("the script says so"))
    elif word == "hold":
        leg = _read_leg(reader)
        act = _after(delay, lambda stage: stage.session.hold(leg))
    elif word == "release":
        leg = _read_leg(reader)
        act = _after(delay, lambda stage: stage.session.release(leg))
    elif reader.choice("what it does", {"sends": True, "sees": False}):
        act = _sends(word, delay, _read_bytes(reader) or reader.choice("what it sends", _SENT))
    else:
        act = _sees(word, delay, _read_bytes(reader) or reader.choice("what it sees", _SEEN))
    reader.end("nothing more")
    return act


_FIRST_WORDS = ("client", "server", "hold", "release", "abort")
_SENT: dict[str, FlowEnd] = {"FIN": FlowEnd.FIN, "RST": FlowEnd.RESET}
_SEEN: dict[str, FlowEnd | None] = {**_SENT, "nothing": None}


def _read_leg(reader: Reader) -> Leg:
    return reader.choice("a leg", {leg.value: leg for leg in Leg})


def _read_bytes(reader: Reader) -> bytes | None:
    text = reader.take(r"'[^']+'")
    return text[1:-1].encode() if text else None


def _after(delay: float, request: Callable[[Stage], None]) -> _Act:
    async def act(stage: Stage) -> None:
        await trio.sleep(delay)
        request(stage)

    return act


def _sends(word: str, delay: float, what: bytes | FlowEnd) -> _Act:
    async def act(stage: Stage) -> None:
        await trio.sleep(delay)
        endpoint = _endpoint(stage, word)
        if isinstance(what, bytes):
            await endpoint.send(what)
        elif what is FlowEnd.FIN:
            await endpoint.send_fin()
        else:
            await endpoint.reset()

    return act


def _sees(word: str, delay: float, expected: bytes | FlowEnd | None) -> _Act:
    async def act(stage: Stage) -> None:
        started = trio.current_time()
        # Nothing is expected for just so long; anything else at that very time, so wait a little longer.
        with trio.move_on_after(delay + (0 if expected is None else _PATIENCE)):
            await trio.testing.wait_all_tasks_blocked()
            found = await _look(_endpoint(stage, word), expected)
            at = trio.current_time() - started
            assert found == expected, f"saw {found!r} after {format_duration(at)}"
            assert abs(at - delay) < _SAME_TIME, f"saw it after {format_duration(at)}"
            return
        assert expected is None, f"saw nothing for {format_duration(delay + _PATIENCE)}"

    return act


async def _look(endpoint: FakeEndpoint, expected: bytes | FlowEnd | None) -> bytes | FlowEnd:
    if isinstance(expected, bytes):
        return await endpoint.receive_exactly(len(expected))
    found = await endpoint.receive()
    if expected is FlowEnd.RESET and found is FlowEnd.FIN:
        await endpoint.wait_reset()
        return FlowEnd.RESET
    return found


def _endpoint(stage: Stage, word: str) -> FakeEndpoint:
    return stage.client if word == "client" else stage.server
