"""The body of a request, read as far as it may be long, for as long as it may take.

This module must not know what a body means.
"""

from __future__ import annotations

from typing import Final

import trio
from starlette.types import Receive

from .guard import MOST_BYTES, body_too_large
from .problems import ClientGoneError, Refusal

_PATIENCE: Final = 15.0
"""Seconds for a body to come in whole."""


async def read_body(receive: Receive) -> bytes:
    """Read a request's body to its end.

    Raises:
        Refusal: it is too large, or the rest of it does not come.
        ClientGoneError: the client closed the connection in the middle.
    """
    # The scope itself: move_on_after() would cost each call as much again as all that is done within it.
    with trio.CancelScope(deadline=trio.current_time() + _PATIENCE):
        return await _read(receive)
    raise Refusal(
        408,
        "the request's body did not come",
        expected=f"the whole body within {_PATIENCE:g} s",
        found="a part of it",
        what_to_do="check the Content-Length of the request",
        headers={"connection": "close"},
    )


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            raise body_too_large(f"more than {MOST_BYTES} bytes")
        if not message.get("more_body", False):
            return bytes(body)
