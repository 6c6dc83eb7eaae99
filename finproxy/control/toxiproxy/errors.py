"""Toxiproxy's errors as it answers with them: JSON that calls itself plain text.

This module must not know what went wrong.
"""

from __future__ import annotations

import json

from starlette.responses import Response

from ...addresses import format_address
from ...errors import FinproxyError
from ...sockets import ListenError

_TEXT = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}


class ToxiproxyError(FinproxyError):
    """A request that Toxiproxy answers with an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    def answer(self) -> Response:
        """The answer; clients look at its status only."""
        body = json.dumps({"error": self.text, "status": self.status}, separators=(",", ":"))
        return Response(f"{body}\n", self.status, headers=_TEXT)


def as_go_says(error: FinproxyError) -> str:
    """The text of an error; that of a port which cannot be had in Go's words, which clients look for."""
    cause = error.__cause__
    if not isinstance(error, ListenError) or error.address is None or not isinstance(cause, OSError):
        return str(error)
    why = cause.strerror or str(cause)
    return f"listen tcp {format_address(error.address)}: bind: {why[:1].lower()}{why[1:]}"


def plain(status: int, text: str) -> Response:
    """What Go's router and middleware answer with."""
    return Response(f"{text}\n", status, headers=_TEXT)
