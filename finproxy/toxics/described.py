"""A toxic from its description, in the words of Toxiproxy's JSON: type, name, stream, attributes, toxicity.

Stricter than Toxiproxy, which drops an attribute that it does not know: one that was misspelt would otherwise
be a fault that never comes. This module must not know where descriptions come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from ..reading import did_you_mean
from .values import KINDS, Toxic, ToxicError


def described(
    kind: str,
    attributes: Mapping[str, Any],
    *,
    name: str = "",
    stream: str = "downstream",
    toxicity: float = 1.0,
) -> Toxic:
    """The toxic of a type; without a name it is called TYPE_STREAM.

    Raises:
        ToxicError: the type, the stream or an attribute cannot be meant.
    """
    if kind not in KINDS:
        raise ToxicError(
            f"expected a toxic of one of the types {', '.join(KINDS)}, found '{kind}'"
            f"{did_you_mean(kind, KINDS)}"
        )
    check_names(kind, attributes)
    if kind == "fin" and not attributes:
        raise ToxicError("expected the attribute 'rule' of a fin toxic, found none")
    # The kind itself checks the values, whatever their types are.
    return Toxic(name or f"{kind}_{stream}", stream, KINDS[kind](**attributes), toxicity)


def check_names(kind: str, attributes: Iterable[str]) -> None:
    """See that a toxic of this type has these attributes.

    Raises:
        ToxicError: it has not.
    """
    known = [f.name for f in fields(KINDS[kind])]
    for attribute in attributes:
        if attribute not in known:
            raise ToxicError(
                f"expected {', '.join(known) or 'no attribute'} of a {kind} toxic, found '{attribute}'"
                f"{did_you_mean(attribute, known)}"
            )
