"""A script of one session, as text: what happened, and what the engine is expected to say.

    > open
    1 > client FIN
      < note client fin.held
      < timer client 2s
    3 > timer client
      < note client fin.released
      < FIN to server

Lines with ``>`` are events, with their time where it changes; lines with ``<`` are commands. `play` feeds
the events and compares the whole conversation, so that a failure shows all of it.
"""

from __future__ import annotations

import textwrap

from finproxy import commands, events, rules
from finproxy.engine import Engine
from finproxy.legs import Leg
from finproxy.notation import parse_action, parse_rule
from finproxy.rulebook import InPlay, RuleBook
from finproxy.units import format_duration, parse_duration

_FINS: dict[str, type[events.FinReceived | events.FinKeptOut | events.FinOvertook]] = {
    "": events.FinReceived,
    "kept out": events.FinKeptOut,
    "overtook": events.FinOvertook,
}


class Conversation:
    """An engine that is told events by their short names, and whose commands have short names."""

    def __init__(self, *rules: str) -> None:
        self.engine = Engine(RuleBook(InPlay(parse_rule(rule)) for rule in rules))
        self.now = 0.0
        self._timers: list[commands.Timer] = []

    def tell(self, name: str) -> list[str]:
        """Feed the event of this name; the names of the commands that answer it."""
        answer = self.engine.handle(self._event(name))
        self._timers += [c.timer for c in answer if isinstance(c, commands.StartTimer)]
        return [name_of(command) for command in answer]

    def _event(self, name: str) -> events.Event:
        t = self.now
        event: events.Event
        match name.split():
            case ["open"]:
                event = events.SessionOpened(t)
            case [leg, "FIN", *what]:
                event = _FINS[" ".join(what)](t, Leg(leg))
            case [leg, "RST"]:
                event = events.ResetReceived(t, Leg(leg))
            case [leg, "failed"]:
                event = events.LegFailed(t, Leg(leg), "timed out")
            case ["FIN", "left", "to", leg]:
                event = events.FinSent(t, Leg(leg))
            case [leg, "has", "all"]:
                event = events.Delivered(t, Leg(leg))
            case [leg, "reached", count]:
                event = events.BytesReached(t, Leg(leg), int(count))
            case [leg, "idle", delay]:
                event = events.IdleReached(t, Leg(leg), parse_duration(delay))
            case ["timer", leg]:
                event = events.TimerFired(t, [timer for timer in self._timers if timer.leg is Leg(leg)][-1])
            case ["first", "timer", leg]:
                event = events.TimerFired(t, next(timer for timer in self._timers if timer.leg is Leg(leg)))
            case ["ask", leg, *action]:
                event = events.ActionRequested(t, Leg(leg), parse_action(" ".join(action)))
            case ["hold", leg]:
                event = events.ActionRequested(t, Leg(leg), rules.Hold())
            case ["rules", *words]:
                book = RuleBook(InPlay(parse_rule(rule)) for rule in " ".join(words).split(";") if rule)
                event = events.RulesChanged(t, book)
            case ["let", "go", leg]:
                event = events.Released(t, Leg(leg))
            case ["abort"]:
                event = events.AbortRequested(t, "enough")
            case _:
                raise ValueError(f"no event is called '{name}'")
        return event


def name_of(command: commands.Command) -> str:
    """The short name of a command."""
    match command:
        case commands.StartTimer(timer, delay):
            name = f"timer {timer.leg} {format_duration(delay)}"
        case commands.WatchBytes(leg, count):
            name = f"watch {leg} bytes {count}"
        case commands.WatchIdle(leg, delay):
            name = f"watch {leg} idle {format_duration(delay)}"
        case commands.KeepBack(leg, count):
            name = f"keep back {count} of {leg}"
        case commands.DropNewest(leg, count, _):
            name = f"drop newest {count} of {leg}"
        case commands.Discard(leg, _):
            name = f"discard {leg}"
        case commands.StopMoving(_):
            name = "stop moving"
        case commands.KeepFinOut(leg, _):
            name = f"keep FIN of {leg} out"
        case commands.LetFinIn(leg):
            name = f"let FIN of {leg} in"
        case commands.SendFin(leg):
            name = f"FIN to {leg}"
        case commands.AwaitDelivery(leg, bounded):
            name = f"await {leg}" + (" for a while" if bounded else "")
        case commands.Abort(leg, _):
            name = f"abort {leg}"
        case commands.Release(leg, _):
            name = f"release {leg}"
        case commands.Report(event, leg, _):
            name = f"note {leg} {event}"
    return name


def play(script: str, *rules: str) -> Engine:
    """Play a script to an engine with these rules, and compare; returns the engine as it is then."""
    expected = [line.strip() for line in textwrap.dedent(script).splitlines() if line.strip()]
    conversation = Conversation(*rules)
    actual = []
    for line in expected:
        time, happened, name = line.partition("> ")
        if happened:
            conversation.now = float(time or conversation.now)
            actual.append(line)
            actual += [f"< {command}" for command in conversation.tell(name)]
    assert actual == expected
    return conversation.engine


def mirrored(text: str) -> str:
    """The same text with client and server in each other's place."""
    return text.replace("client", "\0").replace("server", "client").replace("\0", "server")
