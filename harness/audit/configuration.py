"""The audit's configuration file: subjects of one's own, which of the known ones, and how they are audited.

    known = ["nginx"]
    only = ["half-close-*"]
    repeat = 3

    [subject.mine]
    kind = "server"
    command = "python -m myapp --port {port}"
    slow = "/slow?{seconds}"

This module must not know what a subject's keys mean (reading.py).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import finproxy
from harness.audit.reading import read_recipes
from harness.audit.recipe import Recipe
from harness.errors import UsageError

_KEYS = ("known", "only", "strict", "repeat", "jobs", "subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What is to be audited, and how. None: the command line, or the default, says it."""

    recipes: list[Recipe] = field(default_factory=list)
    known: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    strict: bool | None = None
    repeat: int | None = None
    jobs: int | None = None


def load_configuration(path: Path) -> Configuration:
    """Read a configuration file.

    Raises:
        UsageError: it cannot be read, or a key or a value cannot be meant; names the file and the key.

    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    try:
        return _configuration(table)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _configuration(table: Mapping[str, Any]) -> Configuration:
    for key in table:
        if key not in _KEYS:
            hint = finproxy.did_you_mean(key, _KEYS)
            raise UsageError(f"expected one of {', '.join(_KEYS)}, found {key!r}{hint}")
    subjects = table.get("subject", {})
    if not isinstance(subjects, dict) or not all(isinstance(each, dict) for each in subjects.values()):
        raise UsageError(f"expected tables [subject.NAME], found {subjects!r}")
    found = Configuration(
        recipes=[recipe for name, each in subjects.items() for recipe in read_recipes(name, each)],
        known=_texts("known", table),
        only=_texts("only", table),
        strict=_flag("strict", table),
        repeat=_count("repeat", table),
        jobs=_count("jobs", table),
    )
    if not found.recipes and not found.known:
        raise UsageError("expected a table [subject.NAME], or known = [...], found neither")
    return found


def _texts(key: str, table: Mapping[str, Any]) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UsageError(f"{key}: expected a list of texts, found {value!r}")
    return tuple(value)


def _flag(key: str, table: Mapping[str, Any]) -> bool | None:
    value = table.get(key)
    if value is not None and not isinstance(value, bool):
        raise UsageError(f"{key}: expected true or false, found {value!r}")
    return value


def _count(key: str, table: Mapping[str, Any]) -> int | None:
    value = table.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise UsageError(f"{key}: expected a whole number from 1, found {value!r}")
    return value
