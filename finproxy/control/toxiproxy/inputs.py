"""What the requests of Toxiproxy's clients may contain, checked in its order, with its errors.

This module must not know what is done with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, get_type_hints

from ...toxics import KINDS, Toxic, ToxicError
from . import gojson
from .errors import ToxiproxyError

_STREAMS = ("upstream", "downstream")


@dataclass(frozen=True, slots=True)
class ProxyInput:
    """A proxy as a client describes it; None where it says nothing."""

    name: str
    listen: str | None
    upstream: str | None
    enabled: bool | None


def read_proxy(body: bytes) -> ProxyInput:
    """The description of a proxy, whether complete or not.

    Raises:
        ToxiproxyError: 400, it cannot be read.
    """
    return _proxy(gojson.decode(body))


def read_new_proxy(body: bytes) -> ProxyInput:
    """The description of a proxy to be created.

    Raises:
        ToxiproxyError: 400, it cannot be read, or lacks the name or the upstream.
    """
    given = read_proxy(body)
    _check(given, "")
    return given


def read_proxies(body: bytes) -> list[ProxyInput]:
    """The descriptions of many: all are checked before anybody acts on one.

    Raises:
        ToxiproxyError: 400, one cannot be read, or lacks the name or the upstream.
    """
    given = gojson.decode(body)
    if given is not None and not isinstance(given, list):
        raise gojson.bad_body(f"cannot unmarshal {gojson.kind_of(given)} into an array of proxies")
    proxies = [_proxy(one) for one in given or []]
    for place, proxy in enumerate(proxies, 1):
        _check(proxy, f" at proxy {place}")
    return proxies


def read_toxic(body: bytes) -> Toxic:
    """A toxic to be created.

    Raises:
        ToxiproxyError: 400, it cannot be read, or its stream, type or attributes cannot be meant.
    """
    given = gojson.as_object(gojson.decode(body), "Toxic")
    name = gojson.field(given, "name", str, "", where="Toxic")
    kind = gojson.field(given, "type", str, "", where="Toxic")
    stream = gojson.field(given, "stream", str, "", where="Toxic") or "downstream"
    toxicity = _toxicity(given, 1.0)
    if stream.lower() not in _STREAMS:
        raise ToxiproxyError(400, "stream was invalid, can be either upstream or downstream")
    if kind not in KINDS:
        raise ToxiproxyError(400, "invalid toxic type")
    return _meant(
        lambda: Toxic(name or f"{kind}_{stream}", stream, _attributes(given, KINDS[kind], {}), toxicity)
    )


def read_update(body: bytes, toxic: Toxic) -> Toxic:
    """The toxic as an update leaves it: only the attributes that are named change, and the toxicity.

    Raises:
        ToxiproxyError: 400, the update cannot be read, or an attribute cannot be meant.
    """
    given = gojson.as_object(gojson.decode(body), "Toxic")
    before = {f.name: getattr(toxic.attributes, f.name) for f in fields(toxic.attributes)}
    return _meant(
        lambda: replace(
            toxic,
            attributes=_attributes(given, type(toxic.attributes), before),
            toxicity=_toxicity(given, toxic.toxicity),
        )
    )


def _proxy(value: Any) -> ProxyInput:
    given = gojson.as_object(value, "Proxy")
    return ProxyInput(
        name=gojson.field(given, "name", str, "", where="Proxy"),
        listen=gojson.field(given, "listen", str, None, where="Proxy"),
        upstream=gojson.field(given, "upstream", str, None, where="Proxy"),
        enabled=gojson.field(given, "enabled", bool, None, where="Proxy"),
    )


def _check(proxy: ProxyInput, which: str) -> None:
    if not proxy.name:
        raise ToxiproxyError(400, f"missing required field: name{which}")
    if not proxy.upstream:
        raise ToxiproxyError(400, f"missing required field: upstream{which}")
    # Toxiproxy takes such a name, and then nobody can reach the proxy by it, nor delete it.
    if "/" in proxy.name or proxy.name in {".", ".."}:
        raise ToxiproxyError(400, f"invalid field: name '{proxy.name}' cannot be part of a path{which}")


def _attributes(given: Mapping[str, Any], kind: type[Any], before: Mapping[str, Any]) -> Any:
    values = gojson.field(given, "attributes", dict, {}, where="Toxic")
    types = get_type_hints(kind)
    found = {
        f.name: gojson.field(values, f.name, types[f.name], before.get(f.name), where="attributes")
        for f in fields(kind)
    }
    return kind(**{name: value for name, value in found.items() if value is not None})


def _toxicity(given: Mapping[str, Any], default: float) -> float:
    return gojson.float32(gojson.field(given, "toxicity", float, default, where="Toxic"))


def _meant(make: Any) -> Toxic:
    """What `make` makes, its complaint as Toxiproxy's."""
    try:
        made: Toxic = make()
    except (ToxicError, TypeError) as error:
        raise gojson.bad_body(str(error)) from error
    return made
