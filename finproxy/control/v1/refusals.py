"""Errors as refusals: each of finproxy's errors says what was expected, what was found and what to do.

This module must not know requests.
"""

from __future__ import annotations

import re
from typing import Final

from ...errors import FinproxyError, UsageError
from ...session import NotHeldError
from ...sockets import ListenError
from ...web.problems import Refusal
from ...wire.technique import WireError
from ..proxies import NameTakenError, StoppingError, UnknownProxyError

_STATUS: Final[list[tuple[type[FinproxyError], int]]] = [
    (NameTakenError, 409),
    (NotHeldError, 409),
    (ListenError, 409),
    (WireError, 409),
    (StoppingError, 503),
    (UsageError, 400),
]
"""The first that an error is one of."""


def explain(error: FinproxyError) -> Refusal:
    """A refusal that says what an error of finproxy says: expected this, found that; do so."""
    if isinstance(error, UnknownProxyError):
        return _unknown_proxy(error)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    text = str(error)
    if match := re.search(r"(?s)expected (.*?), found (.*?)(?:; (.*?))?(?:\n|$)", text):
        return Refusal(status, text, expected=match[1], found=match[2], what_to_do=match[3] or "")
    found, _, what_to_do = text.partition("; ")
    return Refusal(status, text, found=found, what_to_do=what_to_do)


def _unknown_proxy(error: UnknownProxyError) -> Refusal:
    return Refusal(
        404,
        str(error),
        expected=f"one of {error.known}" if error.known else "no name: there is no proxy",
        found=error.name,
        what_to_do="name one of those that 'finproxy ls' or /v1/proxies lists, or create it",
    )


def cannot_be_meant(where: str, why: str) -> Refusal:
    """A refusal of what does not fit its shape, from msgspec's complaint."""
    expected, found = "what /v1/docs says", why
    if match := re.fullmatch(r"(?s)Expected (.*?)(?:, got (.*?))?(?: - at `(.*)`)?", why):
        expected = match[1] + (f" at {match[3]}" if match[3] else "")
        found = match[2] or "something else"
    return Refusal(
        400,
        f"{where} cannot be read: {why}",
        expected=expected.replace("`", ""),
        found=found.replace("`", ""),
        what_to_do="see /v1/docs",
    )
