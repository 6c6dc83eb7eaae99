"""What each request of Toxiproxy's API does, and what it is answered with.

This module must not know how a proxy carries out what it is told.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from ... import __version__
from ...addresses import AddressError
from ...errors import FinproxyError
from ...settings import Settings
from ...toxics import Toxic
from ...web.bodies import read_body
from ..managed import Change, Managed
from ..proxies import NameTakenError, Proxies, UnknownProxyError
from . import gojson, inputs, views
from .errors import ToxiproxyError, as_go_says, plain

VERSION: Final = "2.12.0"
"""The version of Toxiproxy whose API this is. Clients compare it, so it must be one of theirs."""

_BASE32: Final = b"abcdefghijklmnopqrstuvwxyz234567" * 8
"""A letter of RFC 4648's alphabet for each byte: they write the number of a request so."""

Handler: TypeAlias = Callable[[Mapping[str, str], bytes], Awaitable[Response]]


def toxiproxy_routes(proxies: Proxies, created: Callable[[str], Settings]) -> list[BaseRoute]:
    """The routes of Toxiproxy's API; `created` gives the settings of a new proxy of a name."""
    api = _Api(proxies, created)
    one, toxics, toxic = "/proxies/{proxy}", "/proxies/{proxy}/toxics", "/proxies/{proxy}/toxics/{toxic}"
    return [
        Route("/version", _Methods(GET=api.version)),
        Route("/proxies", _Methods(GET=api.list_proxies, POST=api.create)),
        Route("/populate", _Methods(POST=api.populate)),
        Route("/reset", _Methods(POST=api.reset)),
        Route(one, _Methods(GET=api.show, POST=api.update, PATCH=api.update, DELETE=api.delete)),
        Route(toxics, _Methods(GET=api.list_toxics, POST=api.add_toxic)),
        Route(
            toxic,
            _Methods(
                GET=api.show_toxic,
                POST=api.update_toxic,
                PATCH=api.update_toxic,
                DELETE=api.remove_toxic,
            ),
        ),
    ]


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what no route matches, as Go's router does."""
    await plain(404, "404 page not found")(scope, receive, send)


class _Methods:
    """The handlers of one path, by method."""

    def __init__(self, **handlers: Handler) -> None:
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._handlers.get(scope["method"])
        if handler is None:
            answer = Response(status_code=405)
        else:
            answer = await self._answer(handler, scope, receive)
            answer.headers["x-toxiproxy-request-id"] = _request_id()
        await answer(scope, receive, send)

    @staticmethod
    async def _answer(handler: Handler, scope: Scope, receive: Receive) -> Response:
        # A web page cannot hide that it is one: this is what keeps a browser from driving a Toxiproxy.
        if Headers(scope=scope).get("user-agent", "").startswith("Mozilla/"):
            return plain(403, "User agent not allowed")
        body = await read_body(receive)
        try:
            return await handler(scope["path_params"], body)
        except ToxiproxyError as error:
            return error.answer()
        except UnknownProxyError:
            return ToxiproxyError(404, "proxy not found").answer()
        except NameTakenError:
            return ToxiproxyError(409, "proxy already exists").answer()
        except FinproxyError as error:  # a port that cannot be had, a name that stands for nothing
            return ToxiproxyError(500, as_go_says(error)).answer()


class _Api:
    """The handlers."""

    def __init__(self, proxies: Proxies, created: Callable[[str], Settings]) -> None:
        self._proxies = proxies
        self._created = created

    # --- proxies ------------------------------------------------------------------------------------

    async def version(self, _path: Mapping[str, str], _body: bytes) -> Response:
        # With the blank behind the colon, which a client's regular expression may look for.
        text = f'{{"version": "{VERSION}", "finproxy": "{__version__}"}}\n'
        return Response(text, media_type="application/json;charset=utf-8")

    async def list_proxies(self, _path: Mapping[str, str], _body: bytes) -> Response:
        return _json({managed.name: views.proxy(managed) for managed in self._proxies.all()})

    async def create(self, _path: Mapping[str, str], body: bytes) -> Response:
        given = inputs.read_new_proxy(body)
        return _json(views.proxy(await self._make(self._proxies.create, given)), 201)

    async def populate(self, _path: Mapping[str, str], body: bytes) -> Response:
        """Make the proxies of a list be there. Its errors are JSON, and say what had been done before."""
        try:
            given = inputs.read_proxies(body)
        except ToxiproxyError as error:
            return _json({"error": error.text, "status": error.status, "proxies": None}, error.status)
        made: list[Managed] = []
        try:
            for proxy in given:
                made.append(await self._make(self._proxies.put, proxy))  # noqa: PERF401 - kept as it grows
        except FinproxyError as error:
            done = [views.proxy(managed) for managed in made]
            return _json({"error": as_go_says(error), "status": 500, "proxies": done}, 500)
        return _json({"proxies": [views.proxy(managed) for managed in made] or None}, 201)

    async def reset(self, _path: Mapping[str, str], _body: bytes) -> Response:
        """Enable every proxy and remove every toxic. Rules are not Toxiproxy's: they stay."""
        await self._proxies.reset()
        return Response(status_code=204)

    async def show(self, path: Mapping[str, str], _body: bytes) -> Response:
        return _json(views.proxy(self._proxies.find(path["proxy"])))

    async def update(self, path: Mapping[str, str], body: bytes) -> Response:
        self._proxies.find(path["proxy"])
        given = inputs.read_proxy(body)
        change = Change(upstream=given.upstream, enabled=given.enabled)
        try:
            managed = await self._proxies.change(path["proxy"], given.listen, change)
        except AddressError as error:
            raise ToxiproxyError(500, str(error)) from error
        return _json(views.proxy(managed))

    async def delete(self, path: Mapping[str, str], _body: bytes) -> Response:
        await self._proxies.delete(path["proxy"])
        return Response(status_code=204)

    async def _make(self, how: Callable[..., Awaitable[Managed]], given: inputs.ProxyInput) -> Managed:
        return await how(
            self._created(given.name),
            given.listen or "",
            given.upstream or "",
            enabled=given.enabled is not False,
        )

    # --- toxics -------------------------------------------------------------------------------------

    async def list_toxics(self, path: Mapping[str, str], _body: bytes) -> Response:
        return _json(views.toxics(self._proxies.find(path["proxy"]).settings.toxics))

    async def add_toxic(self, path: Mapping[str, str], body: bytes) -> Response:
        self._proxies.find(path["proxy"])
        toxic = inputs.read_toxic(body)

        def add(there: tuple[Toxic, ...]) -> tuple[Toxic, ...]:
            if any(one.name == toxic.name for one in there):
                raise ToxiproxyError(409, "toxic already exists")
            return (*there, toxic)

        await self._proxies.edit_toxics(path["proxy"], add)
        return _json(toxic.as_dict())

    async def show_toxic(self, path: Mapping[str, str], _body: bytes) -> Response:
        return _json(_named(self._proxies.find(path["proxy"]).settings.toxics, path["toxic"]).as_dict())

    async def update_toxic(self, path: Mapping[str, str], body: bytes) -> Response:
        def update(there: tuple[Toxic, ...]) -> tuple[Toxic, ...]:
            toxic = _named(there, path["toxic"])
            changed = inputs.read_update(body, toxic)
            return tuple(changed if one is toxic else one for one in there)

        left = await self._proxies.edit_toxics(path["proxy"], update)
        return _json(_named(left, path["toxic"]).as_dict())

    async def remove_toxic(self, path: Mapping[str, str], _body: bytes) -> Response:
        def remove(there: tuple[Toxic, ...]) -> tuple[Toxic, ...]:
            toxic = _named(there, path["toxic"])
            return tuple(one for one in there if one is not toxic)

        await self._proxies.edit_toxics(path["proxy"], remove)
        return Response(status_code=204)


def _named(toxics: tuple[Toxic, ...], name: str) -> Toxic:
    for toxic in toxics:
        if toxic.name == name:
            return toxic
    raise ToxiproxyError(404, "toxic not found")


def _json(value: Any, status: int = 200) -> Response:
    return Response(gojson.encode(value), status, media_type="application/json")


def _request_id() -> str:
    return secrets.token_bytes(20).translate(_BASE32).decode()
