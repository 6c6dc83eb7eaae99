"""A TOML table to recipes: every key and value checked before anything is started.

    kind = "relay"
    command = "socat TCP-LISTEN:{port},fork,reuseaddr TCP:127.0.0.1:{upstream}"

    [variant.t10]                                  # a second column; its keys replace those above
    command = "socat -t10 TCP-LISTEN:{port},fork,reuseaddr TCP:127.0.0.1:{upstream}"

A key that is not known is an error. This module must not start anything, nor know where a table comes from.
"""

import re
import shlex
import signal
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import finproxy
from harness.audit.recipe import PLACES, Recipe
from harness.errors import UsageError
from harness.scenarios.scenario import CLIENT, KINDS, RELAY, SERVER
from harness.scenarios.subjects import ServerSubject

_PAIR = 2
_DEFAULTS: Mapping[str, dict[str, Any]] = {
    SERVER: {"patience": ServerSubject.patience},  # whose timers must not end just then
    CLIENT: {"patience": 20.0},  # clients have time limits of their own, which are to be seen at work
    RELAY: {"protocol": "raw"},  # that it understands HTTP has to be said
}


def read_recipes(name: str, table: Mapping[str, Any]) -> list[Recipe]:
    """The subject of a table, and one more for each of its variants.

    Raises:
        UsageError: a key or a value that cannot be meant; says which, and what was expected.

    """
    base = dict(table)
    variants = base.pop("variant", {})
    if not isinstance(variants, dict) or not all(isinstance(value, dict) for value in variants.values()):
        raise UsageError(f"{name}: expected tables [variant.NAME], found {variants!r}")
    recipes = [read_recipe(name, base)]
    recipes += [read_recipe(f"{name}-{each}", base | changed) for each, changed in variants.items()]
    return recipes


def read_recipe(name: str, table: Mapping[str, Any]) -> Recipe:
    """One subject.

    Raises:
        UsageError: a key or a value that cannot be meant.

    """
    for key in table:
        if key not in _READERS:
            hint = finproxy.did_you_mean(key, _READERS)
            raise UsageError(f"{name}: expected one of {', '.join(_READERS)}, found {key!r}{hint}")
    for key in ("kind", "command"):
        if key not in table:
            raise UsageError(f"{name}: expected the key {key!r}, found {', '.join(table) or 'none'}")
    values = {key: _value(f"{name} {key}", _READERS[key], value) for key, value in table.items()}
    recipe = Recipe(name=name, **(_DEFAULTS[values["kind"]] | values))
    _check_places(recipe)
    _check_requests(recipe)
    return recipe


def _check_places(recipe: Recipe) -> None:
    everywhere = [*recipe.command, *recipe.files.values(), *(part for each in recipe.setup for part in each)]
    for places in PLACES[recipe.kind]:
        if not any(f"{{{place}}}" in text for text in everywhere for place in places):
            wanted = " or ".join(f"{{{place}}}" for place in places)
            raise UsageError(
                f"{recipe.name}: expected {wanted} in the command of a {recipe.kind}, found "
                f"{shlex.join(recipe.command)!r}; write it where the command takes it"
            )


def _check_requests(recipe: Recipe) -> None:
    """Two texts for what is sent and must come back, one for a path of HTTP."""
    wanted = {"http": 1, "redis": _PAIR, "raw": _PAIR}.get(recipe.protocol, 0)
    for key in ("ask", "closing", "slow"):
        found = getattr(recipe, key)
        if found and wanted and len(found) != wanted:
            what = "a path" if wanted == 1 else "[what is sent, what must come back]"
            raise UsageError(f"{recipe.name} {key}: expected {what} for {recipe.protocol}, found {found!r}")
    if recipe.kind == SERVER and recipe.protocol == "raw" and not recipe.ask:
        raise UsageError(f"{recipe.name}: expected ask = [what is sent, what must come back] for raw")


def _value(where: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError(f"expected a text in quotes, found {value!r}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(_text, value)) if isinstance(value, list | tuple) else (_text(value),)


def _command(value: Any) -> tuple[str, ...]:
    found = tuple(shlex.split(value)) if isinstance(value, str) else _texts(value)
    if not found:
        raise UsageError("expected a command, found none")
    return found


def _commands(value: Any) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list | tuple):
        raise UsageError(f"expected a list of commands, found {value!r}")
    return tuple(map(_command, value))


def _table(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise UsageError(f"expected a table of texts, found {value!r}")
    return {key: _text(each) for key, each in value.items()}


def _seconds(value: Any) -> float:
    try:
        seconds: float = finproxy.parse_duration(_text(value))
    except finproxy.NotationError as error:
        raise UsageError(str(error)) from error
    return seconds


def _one_of(words: tuple[str, ...], value: Any) -> str:
    if value not in words:
        raise UsageError(f"expected one of {', '.join(words)}, found {value!r}")
    return str(value)


def _pattern(value: Any) -> str:
    try:
        re.compile(_text(value))
    except re.error as error:
        raise UsageError(f"expected a pattern, found {value!r}: {error}") from error
    return _text(value)


def _signal(value: Any) -> str:
    name = _text(value).upper().removeprefix("SIG")
    if f"SIG{name}" not in signal.Signals.__members__:
        raise UsageError(f"expected a signal such as TERM or QUIT, found {value!r}")
    return name


def _protocol(value: Any) -> str:
    if not re.fullmatch(r"http|redis|raw|[\w.]+:\w+", _text(value)):
        raise UsageError(f"expected http, redis, raw or module:function, found {value!r}")
    return _text(value)


def _codes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(code, int) for code in value):
        raise UsageError(f"expected a list of exit codes, found {value!r}")
    return tuple(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "kind": partial(_one_of, KINDS),
    "command": _command,
    "version": _command,
    "needs": _texts,
    "protocol": _protocol,
    "ask": _texts,
    "closing": _texts,
    "slow": _texts,
    "ready": _pattern,
    "within": _seconds,
    "signal": _signal,
    "grace": _seconds,
    "patience": _seconds,
    "exit_codes": _codes,
    "env": _table,
    "files": _table,
    "setup": _commands,
    "prepare": _commands,
    "backend": _command,
    "user": _text,
    "only": _texts,
}
