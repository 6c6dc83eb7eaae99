"""The rule notation: text to rules and back.

One spelling serves the command line, TOML, the API, the log, pytest ids and reports, so parsing and
formatting round-trip: ``parse_rule(str(rule)) == rule``. A bad text is answered with the column and
what was expected there. This module must not know what a rule does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .legs import Leg
from .reading import NotationError, Reader
from .rules import (
    Action,
    After,
    Blackhole,
    Bytes,
    Connect,
    Delay,
    Drop,
    Fin,
    FullClose,
    Hold,
    Idle,
    Overtake,
    Relay,
    Reorder,
    Reset,
    Rule,
    RuleError,
    SendFin,
    SendReset,
    Simultaneous,
    Trigger,
    Truncate,
)
from .units import format_duration, format_size, read_duration, read_size

T = TypeVar("T")
N = TypeVar("N", int, float)


def parse_rule(text: str) -> Rule:
    """Read one rule.

    Raises:
        NotationError: the text is not a rule; the message points at the column.

    """
    reader = Reader(text)
    leg = _read_leg(reader)
    reader.expect(".", "'.' between the leg and the trigger")
    trigger = reader.choice("a trigger", _TRIGGERS)(reader)
    reader.expect("->", "'->' between the trigger and the action")
    action_column = reader.column
    action = reader.choice("an action", _ACTIONS)(reader)
    at_wire = _read_at_wire(reader)
    probability = _read_probability(reader)
    reader.end("'at wire', '@' and a probability, or the end of the rule")
    try:
        return Rule(leg, trigger, action, at_wire, probability)
    except RuleError as error:
        raise NotationError(text, action_column, str(error)) from error


def parse_action(text: str) -> Action:
    """Read an action that stands alone, such as ``delay 2s``.

    Raises:
        NotationError: the text is not an action; the message points at the column.
    """
    reader = Reader(text)
    action = reader.choice("an action", _ACTIONS)(reader)
    reader.end("the end of the action")
    return action


def format_rule(rule: Rule) -> str:
    """The canonical spelling of a rule."""
    leg = "any" if rule.leg is None else rule.leg.value
    wire = " at wire" if rule.at_wire else ""
    chance = "" if rule.probability == 1 else f" @{rule.probability!r}"
    return f"{leg}.{format_trigger(rule.trigger)} -> {format_action(rule.action)}{wire}{chance}"


def format_trigger(trigger: Trigger) -> str:
    """The spelling of a trigger, without its leg."""
    match trigger:
        case Bytes(count):
            return f"bytes {format_size(count)}"
        case After(delay):
            return f"after {format_duration(delay)}"
        case Idle(delay):
            return f"idle {format_duration(delay)}"
        case Fin() | Reset() | Connect():
            return type(trigger).__name__.lower()


def format_action(action: Action) -> str:
    """The spelling of an action."""
    match action:
        case Delay(delay, jitter):
            return f"delay {format_duration(delay)}" + (f"~{format_duration(jitter)}" if jitter else "")
        case Hold(limit):
            return "hold" if limit is None else f"hold {format_duration(limit)}"
        case Truncate(count):
            return f"truncate {format_size(count)}"
        case Overtake(limit):
            return "overtake" if limit == Overtake().limit else f"overtake {format_duration(limit)}"
        case _:
            return _PLAIN_ACTION_WORDS[type(action)]


def _read_leg(reader: Reader) -> Leg | None:
    return reader.choice("a leg", {"client": Leg.CLIENT, "server": Leg.SERVER, "any": None})


def _read_at_wire(reader: Reader) -> bool:
    if reader.take(r"at\b") is None:
        return False
    if reader.take(r"wire\b") is None:
        reader.fail("'wire' after 'at'")
    return True


def _read_probability(reader: Reader) -> float:
    if reader.take("@") is None:
        return 1.0
    column = reader.column
    number = reader.take(r"(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?(?![\w%.])")
    if number is None:
        reader.fail("a probability above 0 and up to 1, such as 0.1")
    if not 0 < float(number) <= 1:
        raise NotationError(
            reader.text, column, f"expected a probability above 0 and up to 1, found {number}"
        )
    return float(number)


def _read_delay(reader: Reader) -> Delay:
    delay = read_duration(reader)
    return Delay(delay, read_duration(reader) if reader.take("~") else 0.0)


def _read_hold(reader: Reader) -> Hold:
    return Hold(read_duration(reader) if reader.take(r"(?=\d)") is not None else None)


def _read_overtake(reader: Reader) -> Overtake:
    if reader.take(r"(?=\d)") is None:
        return Overtake()
    return _read_bounded(read_duration, Overtake)(reader)


def _read_bounded(read: Callable[[Reader], N], make: Callable[[N], T]) -> Callable[[Reader], T]:
    """Read a number of which not every value makes sense: the complaint points at the number."""

    def read_and_make(reader: Reader) -> T:
        column = reader.column
        try:
            return make(read(reader))
        except RuleError as error:
            raise NotationError(reader.text, column, str(error)) from error

    return read_and_make


_TRIGGERS: dict[str, Callable[[Reader], Trigger]] = {
    "fin": lambda _: Fin(),
    "reset": lambda _: Reset(),
    "connect": lambda _: Connect(),
    "bytes": _read_bounded(read_size, Bytes),
    "after": lambda reader: After(read_duration(reader)),
    "idle": _read_bounded(read_duration, Idle),
}

_PLAIN_ACTION_WORDS: dict[Callable[[], Action], str] = {
    Relay: "relay",
    Drop: "drop",
    Reorder: "reorder",
    Simultaneous: "simultaneous",
    SendFin: "fin",
    SendReset: "reset",
    FullClose: "full-close",
    Blackhole: "blackhole",
}


def _plain(kind: Callable[[], Action]) -> Callable[[Reader], Action]:
    return lambda _: kind()


_ACTIONS: dict[str, Callable[[Reader], Action]] = {
    "delay": _read_delay,
    "hold": _read_hold,
    "truncate": _read_bounded(read_size, Truncate),
    "overtake": _read_overtake,
    **{word: _plain(kind) for kind, word in _PLAIN_ACTION_WORDS.items()},
}
