"""Toxiproxy's errors as it answers with them: JSON that calls itself plain text.

This module must not know what went wrong.
"""

from __future__ import annotations

import json

from starlette.responses import Response

from ...errors import FinproxyError

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


def plain(status: int, text: str) -> Response:
    """What Go's router and middleware answer with."""
    return Response(f"{text}\n", status, headers=_TEXT)
