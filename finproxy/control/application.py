"""The whole API as one ASGI application: Toxiproxy's, our own and the metrics, behind the guard.

This module must not know what any request does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ..metrics import Metrics
from ..settings import Settings
from ..web.guard import Guard, read_token
from ..web.problems import Refusal
from .proxies import Proxies
from .ring import RecordRing
from .settings import ApiSettings
from .toxiproxy.routes import not_found, toxiproxy_routes
from .v1.about_proxies import AboutProxies
from .v1.about_records import AboutRecords
from .v1.about_sessions import AboutSessions
from .v1.openapi import document
from .v1.operations import operations_of, routes_of
from .v1.page import page

HEALTH = "/v1/health"
"""The path that is answered without a token."""
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def application(
    settings: ApiSettings,
    proxies: Proxies,
    ring: RecordRing,
    metrics: Metrics,
    *,
    created: Callable[[str], Settings],
    dropped: Callable[[str], None],
    examine: Callable[[], Any] | None = None,
) -> ASGIApp:
    """The application.

    Args:
        settings: for whom it is.
        proxies: what is steered.
        ring: the records that are shown.
        metrics: the figures that are shown.
        created: gives the settings of a new proxy, by its name.
        dropped: is told why a reader of records was cut off.
        examine: finds out what works on this machine, in a thread.

    Raises:
        FinproxyError: the token cannot be read.
    """
    operations = operations_of(
        AboutProxies(proxies, created), AboutSessions(proxies, ring), AboutRecords(ring, dropped, examine)
    )
    described = document(operations)
    token = read_token(settings.token_file) if settings.token_file else None
    routes = [
        *toxiproxy_routes(proxies, created),
        *routes_of(operations),
        Route("/v1/openapi.json", _Fixed(Response(json.dumps(described), media_type="application/json"))),
        Route("/v1/docs", _Fixed(HTMLResponse(page(described)))),
        Route("/metrics", _Metrics(metrics)),
    ]
    router = Router(routes, redirect_slashes=False, default=_unknown)
    return Guard(router, token=token, hosts=settings.hosts, open_paths=(HEALTH,))


async def _unknown(scope: Scope, receive: Receive, send: Send) -> None:
    if not scope["path"].startswith("/v1"):
        return await not_found(scope, receive, send)
    raise Refusal(
        404,
        "there is no such path",
        expected="one of the paths that /v1/docs lists",
        found=scope["path"],
        what_to_do="see /v1/docs",
    )


class _Fixed:
    """The same answer each time."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"}:
            raise Refusal(
                405,
                "this path can be read only",
                expected="GET",
                found=scope["method"],
                headers={"allow": "GET"},
            )
        await self._answer(scope, receive, send)


class _Metrics:
    """The figures, whatever the method: so does Toxiproxy."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Response(self._metrics.text(), media_type=_METRICS_TYPE)(scope, receive, send)
