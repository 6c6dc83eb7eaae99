"""The configuration file: TOML to the settings of several proxies, checked before anything is opened.

    grace = "5s"                          # for every proxy below

    [api]                                 # steers them while they run
    listen = "127.0.0.1:8474"

    [proxy.web]
    listen = "127.0.0.1:9000"
    upstream = "127.0.0.1:80"
    rules = ["server.fin -> delay 2s"]

    [[proxy.web.toxics]]                  # the keys of Toxiproxy's JSON
    type = "latency"
    attributes = { latency = 300, jitter = 50 }

A key that is not known is an error: one that was misspelt would otherwise be a rule that never fires.
This module must not open sockets or resolve names.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .addresses import format_address, parse_listen, parse_upstream
from .control.settings import ApiSettings
from .errors import UsageError
from .legs import Address
from .notation import parse_rule
from .reading import did_you_mean
from .rules import Rule
from .settings import Settings
from .toxics import Toxic
from .toxics.described import described
from .toxics.values import checked
from .units import parse_duration


class ConfigError(UsageError):
    """A configuration that cannot be meant; the message names the file and the key."""


_WILDCARDS = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Config:
    """What a file says."""

    proxies: list[Settings]
    api: ApiSettings | None
    """None where it has no table for it."""


def load(path: Path, defaults: Mapping[str, Any] | None = None, *, proxies_needed: bool = True) -> Config:
    """Read a configuration file; `defaults` are the settings that the command line gave for all.

    Raises:
        ConfigError: the file cannot be read or understood, two proxies want the same port, or there is none
            where one is needed.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    try:
        api = _api(table.pop("api", None))
        proxies = _proxies(table, dict(defaults or {}), needed=proxies_needed)
        check_ports(proxies)
    except UsageError as error:
        raise ConfigError(f"{path}: {error}") from error
    return Config(proxies, api)


def check_ports(proxies: Iterable[Settings]) -> None:
    """Find out before anything is opened that two proxies want the same port.

    Raises:
        ConfigError: they do.
    """
    for one, other in itertools.combinations(proxies, 2):
        if _overlap(one.listen, other.listen):
            raise ConfigError(
                f"[proxy.{one.name}] and [proxy.{other.name}] both listen on "
                f"{format_address(one.listen)}: give one of them another port"
            )


def _overlap(one: Address, other: Address) -> bool:
    if one[1] != other[1] or one[1] == 0:
        return False
    return one[0] == other[0] or one[0] in _WILDCARDS or other[0] in _WILDCARDS


def _api(values: Any) -> ApiSettings | None:
    if values is None:
        return None
    if not isinstance(values, dict):
        raise ConfigError(f"[api]: expected a table, found {values!r}")
    return ApiSettings(**_read("[api]", values, _API))


def _proxies(table: dict[str, Any], defaults: dict[str, Any], *, needed: bool) -> list[Settings]:
    named = table.pop("proxy", {})
    shared = _read("the top level", table, _SHARED, hint=("api", "proxy", *_SHARED)) | defaults
    if not isinstance(named, dict) or (needed and not named):
        raise ConfigError("expected at least one table [proxy.NAME] with 'listen' and 'upstream', found none")
    return [_proxy(name, values, shared) for name, values in named.items()]


def _proxy(name: str, values: Any, shared: dict[str, Any]) -> Settings:
    where = f"[proxy.{name}]"
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected a table, found {values!r}")
    own = _read(where, values, _OWN | _SHARED)
    for key in ("listen", "upstream"):
        if key not in own:
            raise ConfigError(f"{where}: expected the key '{key}', found only {', '.join(own) or 'nothing'}")
    try:
        return Settings(name=name, **(shared | own))
    except UsageError as error:
        raise ConfigError(f"{where}: {error}") from error


def _read(
    where: str, values: dict[str, Any], readers: dict[str, Callable[[Any], Any]], hint: Iterable[str] = ()
) -> dict[str, Any]:
    known = hint or readers
    for key in values:
        if key not in readers:
            raise ConfigError(
                f"{where}: expected one of {', '.join(known)}, found '{key}'{did_you_mean(key, known)}"
            )
    return {key: _value(f"{where} {key}", readers[key], value) for key, value in values.items()}


def _value(where: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except UsageError as error:
        raise ConfigError(f"{where}: {error}") from error


def _text(read: Callable[[str], Any], what: str) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        if not isinstance(value, str):
            raise ConfigError(f"expected {what}, in quotes, found {value!r}")
        return read(value)

    return checked


def _integer(least: int) -> Callable[[Any], int]:
    def checked(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ConfigError(f"expected a whole number from {least}, found {value!r}")
        return value

    return checked


def _rules(value: Any) -> tuple[Rule, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"expected a list of rules, found {value!r}")
    return tuple(
        _value(f"rule {place}", _text(parse_rule, "a rule"), rule) for place, rule in enumerate(value, 1)
    )


def _toxics(value: Any) -> tuple[Toxic, ...]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ConfigError(f"expected tables [[proxy.NAME.toxics]], found {value!r}")
    return checked(_toxic(f"toxic {place}", one) for place, one in enumerate(value, 1))


def _toxic(where: str, values: dict[str, Any]) -> Toxic:
    given = _read(where, values, _TOXIC)
    if "type" not in given:
        raise ConfigError(f"{where}: expected the key 'type', found only {', '.join(given) or 'nothing'}")
    kind, attributes = given.pop("type"), given.pop("attributes", {})
    toxic: Toxic = _value(where, lambda rest: described(kind, attributes, **rest), given)
    return toxic


def _attributes(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"expected a table such as {{ latency = 300 }}, found {value!r}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"expected a list of names, found {value!r}")
    return tuple(value)


_duration = _text(parse_duration, "a duration such as '2s'")

_SHARED: dict[str, Callable[[Any], Any]] = {
    "grace": _duration,
    "connect_timeout": _duration,
    "delivery_limit": _duration,
    "max_sessions": _integer(1),
    "seed": _integer(0),
    "wire": _text(str, "a technique such as 'socket-filter'"),
}
_API: dict[str, Callable[[Any], Any]] = {
    "listen": _text(parse_listen, "an address such as '127.0.0.1:8474'"),
    "token_file": _text(Path, "the path of a file"),
    "hosts": _texts,
}
_OWN: dict[str, Callable[[Any], Any]] = {
    "listen": _text(parse_listen, "an address such as '127.0.0.1:9000'"),
    "upstream": _text(parse_upstream, "an address such as '127.0.0.1:80'"),
    "rules": _rules,
    "toxics": _toxics,
}
_TOXIC: dict[str, Callable[[Any], Any]] = {
    "type": _text(str, "a type such as 'latency'"),
    "name": _text(str, "a name"),
    "stream": _text(str, "'upstream' or 'downstream'"),
    "toxicity": lambda value: value,  # the toxic itself knows what it may be
    "attributes": _attributes,
}
