"""What stands before an API: the token, the Host and the Origin of a request, and the size of its body.

An API on the loopback interface is reached by every web page that the same user has open. A page can send
requests to 127.0.0.1, and with a name of its own that it rebinds to 127.0.0.1 it can also read the answers:
that is what Host and Origin are checked for. A rebound name is one of the public DNS, so it has a dot; IP
addresses, ``localhost`` and names without a dot (a service in a compose file) cannot be rebound. This module
must not know what it guards.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import FinproxyError
from .problems import ClientGoneError, Refusal
from .targets import in_origin_form

_log = logging.getLogger("finproxy")

MOST_BYTES: Final = 1024 * 1024
"""The largest body that is read."""
_DRAINED_AT_MOST: Final = 16 * MOST_BYTES
_DRAIN_WITHIN: Final = 2.0
_SHORTEST_TOKEN: Final = 16


def read_token(path: Path) -> str:
    """Read the token that requests have to bear: the file's text without the blanks around it.

    Raises:
        FinproxyError: the file cannot be read, or its token is too short to keep anybody out.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FinproxyError(f"the token file {path} cannot be read: {error}") from error
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise FinproxyError(
            f"the token file {path}: expected one line of at least {_SHORTEST_TOKEN} printable ASCII "
            f"characters, found {len(token)} of any kind; "
            "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    return token


class Guard:
    """ASGI middleware: lets a request in, or answers it with what is wrong. Nothing gets past it as a trace.

    Args:
        app: what it guards.
        token: requests must bear it; None asks for none.
        hosts: names with a dot by which the API may be called, ``*`` for any.
        open_paths: answered without a token, such as a health check.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None = None,
        hosts: Iterable[str] = (),
        open_paths: Collection[str] = (),
    ) -> None:
        self._app = app
        self._token = token
        self._hosts = frozenset(host.lower() for host in hosts)
        self._open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        request, answer = _Request(receive), _Answer(send)
        try:
            scope = self._checked(scope)
            await self._app(scope, request, answer)
        except ClientGoneError:
            _log.debug("a client has gone within its request: %s %s", scope.get("method"), scope["path"])
        except Refusal as refusal:
            await _refuse(refusal, scope, request, answer)
        except Exception:
            _log.exception("a request failed: %s %s", scope.get("method"), scope["path"])
            defect = Refusal(500, "finproxy could not do this: a defect; its log says more")
            await _refuse(defect, scope, request, answer)

    def _checked(self, scope: Scope) -> Scope:
        if scope["type"] != "http":
            raise Refusal(400, f"expected an HTTP request, found a {scope['type']}")
        scope = in_origin_form(scope)
        headers = Headers(scope=scope)
        self._check_host(headers)
        self._check_origin(headers)
        if self._token is not None and scope["path"] not in self._open_paths:
            self._check_token(headers, self._token)
        if (length := headers.get("content-length", "0")).isdecimal() and int(length) > MOST_BYTES:
            raise body_too_large(f"{length} bytes")
        return scope

    def _check_host(self, headers: Headers) -> None:
        host = headers.get("host", "")
        if self._token is None and not self._knows(host):
            raise Refusal(
                403,
                "this Host is not one by which the API may be called",
                expected="an IP address, localhost, a name without a dot, or a name given with --api-host",
                found=host,
                what_to_do="call it by its address, or start finproxy with --api-host and this name",
            )

    def _knows(self, host: str) -> bool:
        name = _host_name(host)
        if name is None:
            return False
        return "." not in name or _is_ip(name) or name in self._hosts or "*" in self._hosts

    @staticmethod
    def _check_origin(headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) != headers.get("host", "").lower():
            raise Refusal(
                403,
                "a page of another origin may not drive this API",
                expected="no Origin, or the origin of this API",
                found=origin,
                what_to_do="drive it from a program, not from a web page",
            )

    @staticmethod
    def _check_token(headers: Headers, token: str) -> None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # In constant time: how long a comparison takes must not tell how much of a guess was right.
        right = hmac.compare_digest(given.strip().encode(), token.encode())
        if scheme.lower() != "bearer" or not right:
            raise Refusal(
                401,
                "this API asks for its token",
                expected="Authorization: Bearer TOKEN",
                found="no token" if not given else "another token",
                what_to_do="send the token that the file given with --api-token-file contains",
                headers={"www-authenticate": "Bearer"},
            )


async def _refuse(refusal: Refusal, scope: Scope, request: _Request, answer: _Answer) -> None:
    if answer.begun:
        return  # nothing can be said any more; the connection is closed within its answer
    # Closing with a body unread would reset the connection, and the answer with it.
    with trio.move_on_after(_DRAIN_WITHIN):
        while not request.complete and request.received < _DRAINED_AT_MOST:
            await request()
    await refusal(scope, request, answer)


class _Request:
    """A `receive` that knows how much of the body has come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.received = 0
        self.complete = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self.received += len(message.get("body", b""))
        self.complete = self.complete or not message.get("more_body", False)
        return message


class _Answer:
    """A `send` that knows whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


def body_too_large(found: str) -> Refusal:
    """The refusal of a body that is not read."""
    return Refusal(
        413,
        "the body is too large",
        expected=f"at most {MOST_BYTES} bytes",
        found=found,
        what_to_do="send it in parts",
        headers={"connection": "close"},
    )


def _netloc(origin: str) -> str | None:
    """The host and port of an origin; None for ``null`` and whatever else has none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


@lru_cache(64)  # hardly any client calls it by more than one
def _host_name(host: str) -> str | None:
    """The name in a Host header, without the port; None where it is not one."""
    try:
        parts = urlsplit(f"//{host.lower()}")
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    plain = not parts.path and not parts.query and not parts.fragment and "@" not in parts.netloc
    return (parts.hostname or None) if plain else None


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
