"""JSON as Go's encoding/json reads and writes it, as far as a client could notice.

Field names match in any case, null is as good as absent, and what comes after the first value is ignored.
This module must not know what is read.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, NoReturn

from .errors import ToxiproxyError

_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def decode(body: bytes) -> Any:
    """The first JSON value of a body.

    Raises:
        ToxiproxyError: 400, with what is wrong with it.
    """
    text = body.decode("utf-8", "replace").lstrip(" \t\r\n")
    if not text:
        raise bad_body("EOF")
    try:
        return _clean(_DECODER.raw_decode(text)[0])
    except RecursionError:
        raise bad_body("exceeded max depth") from None
    except ValueError as error:
        # JSONDecodeError, and int() of more digits than Python reads.
        raise bad_body(str(error)) from None


def encode(value: Any) -> bytes:
    """Compact JSON with Go's escapes."""
    text = _ENCODER.encode(value)
    for character, escaped in _ESCAPED.items():
        text = text.replace(character, escaped)
    return text.encode()


def field(value: Mapping[str, Any], name: str, kind: type, default: Any, *, where: str) -> Any:
    """A field of a JSON object, in any case; null and a missing one are the default.

    Raises:
        ToxiproxyError: 400, it has another type.
    """
    # The last one wins, as in Go, where each is assigned in its turn.
    found = [given for key, given in value.items() if key.lower() == name.lower() and given is not None]
    if not found:
        return default
    given = found[-1]
    if kind is float and type(given) is int:
        given = float(given) if abs(given) < 2**128 else given
    if type(given) is not kind:
        raise bad_body(f"cannot unmarshal {kind_of(given)} into {where}.{name} of type {_GO[kind]}")
    return given


def as_object(value: Any, where: str) -> Mapping[str, Any]:
    """A JSON object; null is an empty one.

    Raises:
        ToxiproxyError: 400, it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_body(f"cannot unmarshal {kind_of(value)} into {where}, an object")
    return value


def kind_of(value: Any) -> str:
    """What Go calls a JSON value."""
    return f"number {value}"[:40] if type(value) in {int, float} else _JSON.get(type(value), "null")


def bad_body(why: str) -> ToxiproxyError:
    """The error of a body that cannot be read."""
    return ToxiproxyError(400, f"bad request body: {why}")


def float32(number: float) -> float:
    """The number as Go keeps it in 32 bits and prints it: the shortest text that means the same.

    Raises:
        ToxiproxyError: 400, it is too large for 32 bits.
    """
    narrow = _in_32_bits(number)
    if narrow is None:
        raise bad_body(f"cannot unmarshal number {number} into Toxic.toxicity of type float32")
    texts = (f"{number:.{digits}g}" for digits in range(1, 10))
    return next(float(text) for text in texts if _in_32_bits(float(text)) == narrow)


def _in_32_bits(number: float) -> bytes | None:
    try:
        return struct.pack("<f", number)
    except OverflowError:
        return None


def _clean(value: Any) -> Any:
    """Half a surrogate pair, which Python's JSON lets through and UTF-8 does not, becomes U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(one) for key, one in value.items()}
    return value


def _no_such_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_constant=_no_such_number)
_GO = {str: "string", bool: "bool", int: "int64", float: "float32", dict: "object"}
_JSON = {str: "string", bool: "bool", list: "array", dict: "object"}
