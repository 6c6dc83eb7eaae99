"""What a request says, as the values that the proxy works with.

This module must not know what is done with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from msgspec import UNSET, UnsetType

from ...addresses import parse_upstream
from ...errors import UsageError
from ...notation import parse_rule
from ...rules import Rule
from ...settings import Settings
from ...toxics import Toxic
from ...toxics.described import described
from ...toxics.values import checked
from ...wire.choice import names
from ..managed import Change
from ..places import check_listen
from . import asked

T = TypeVar("T")


def new_settings(given: asked.NewProxy, defaults: Settings) -> Settings:
    """The settings of a new proxy; `defaults` has what the request leaves open.

    Raises:
        UsageError: an address, a rule, a toxic or the technique cannot be meant.
    """
    parse_upstream(given.upstream)
    check_listen(given.listen)
    _check_technique(given.wire)
    wishes = {
        name: value
        for name in ("seed", "max_sessions", "connect_timeout", "grace", "delivery_limit", "wire")
        if (value := getattr(given, name)) is not None
    }
    return replace(defaults, rules=rules(given.rules), toxics=toxics(given.toxics), **wishes)


def change(given: asked.ProxyChange) -> tuple[str | None, Change]:
    """Where a proxy is to listen, and what else is to change.

    Raises:
        UsageError: an address, a rule or a toxic cannot be meant.
    """
    if (upstream := _given(given.upstream)) is not None:
        parse_upstream(upstream)
    if (listen := _given(given.listen)) is not None:
        check_listen(listen)
    return listen, Change(
        upstream=upstream,
        enabled=_given(given.enabled),
        rules=None if given.rules is UNSET else rules(given.rules),
        toxics=None if given.toxics is UNSET else toxics(given.toxics),
    )


def rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    """The rules.

    Raises:
        NotationError: a text is none.
    """
    return tuple(parse_rule(text) for text in texts)


def toxics(given: Sequence[asked.ToxicInput]) -> tuple[Toxic, ...]:
    """The toxics of one proxy.

    Raises:
        ToxicError: a type, stream or attribute cannot be meant, or two have one name.
    """
    return checked(_toxic(one) for one in given)


def _toxic(given: asked.ToxicInput) -> Toxic:
    return described(
        given.type, given.attributes, name=given.name, stream=given.stream, toxicity=given.toxicity
    )


def _check_technique(name: str | None) -> None:
    if name is not None and name not in names():
        raise UsageError(f"expected one of the techniques {', '.join(names())}, found '{name}'")


def _given(value: T | UnsetType) -> T | None:
    return None if value is UNSET else value
