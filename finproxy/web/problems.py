"""Refusals as answers: what was expected, what was found, what to do, as JSON with a status.

A handler raises `Refusal` wherever it stands; the guard (guard.py) turns it into the answer. This module
must not know routes, nor what is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..errors import FinproxyError


class Refusal(FinproxyError):  # noqa: N818 - nobody's error: it is the answer
    """A request that is answered with an error."""

    def __init__(
        self,
        status: int,
        error: str,
        *,
        expected: str = "",
        found: str = "",
        what_to_do: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.headers = headers
        self.body = {
            "error": error,
            "status": status,
            "expected": expected,
            "found": found,
            "what_to_do": what_to_do,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with it, as an ASGI application."""
        await JsonAnswer(self.body, self.status, headers=self.headers)(scope, receive, send)


class ClientGoneError(Exception):
    """The client has gone before its request was complete: there is nobody to answer."""


class JsonAnswer(Response):
    """JSON that any client reads, whatever text it carries: what is not ASCII is escaped."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body. NaN and infinity would not be JSON: they are a defect of the caller."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
