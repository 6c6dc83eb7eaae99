"""The agent's HTTP service: requests in, JSON and server-sent events out.

| route | answer |
|---|---|
| GET /v1/health | ``{"status": "ok"}``; needs no token |
| GET /v1/agent | who and where the agent is, its clocks, its source, what limits it |
| GET /v1/endpoints | all that is known: ``{"agent": {...}, "last": 17, "events": [{"id": 1, ...}, ...]}`` |
| GET /v1/events/stream?after=17 | events as they happen; how they are written: spelling.py |
| POST /v1/look | looks now; ``{"run": "...", "last": 19}``: what it showed are the events up to 19 |
| GET /v1/rows?port=8000 | the socket table now, listeners included |
| GET /v1/programs/8000 | the program that listens on a port: ``{"pid": 7, "alive": true}`` |
| POST /v1/programs/8000/signal | ``{"signal": "SIGTERM"}``; only with --allow-signals |
| GET /v1/processes/7 | ``{"pid": 7, "alive": false}`` |

This module must not know how states are seen.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import trio
from starlette.requests import Request
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

import finproxy
from harness.agent.agent import Agent
from harness.agent.signals import NotSignalledError, is_alive, leader_of, send_signal
from harness.agent.spelling import spell_row
from harness.errors import HarnessError, UsageError

_Handler = Callable[[Request], Awaitable[Any]]


def application(agent: Agent, *, allow_signals: bool = False) -> ASGIApp:
    """The service of one agent, as an ASGI application."""
    service = _Service(agent, allow_signals=allow_signals)
    return Router(
        [
            _route("GET", "/v1/health", service.health),
            _route("GET", "/v1/agent", service.identity),
            _route("GET", "/v1/endpoints", service.endpoints),
            _route("POST", "/v1/look", service.look),
            _route("GET", "/v1/rows", service.rows),
            _route("GET", "/v1/programs/{port:int}", service.program),
            _route("POST", "/v1/programs/{port:int}/signal", service.signal),
            _route("GET", "/v1/processes/{pid:int}", service.process),
            Route("/v1/events/stream", _Stream(agent), methods=["GET"]),
        ],
        default=_not_found,
    )


class _Service:
    """The requests that are answered at once."""

    def __init__(self, agent: Agent, *, allow_signals: bool) -> None:
        self._agent = agent
        self._allow_signals = allow_signals

    async def health(self, _request: Request) -> Any:
        return {"status": "ok"}

    async def identity(self, _request: Request) -> Any:
        return self._agent.identity()

    async def endpoints(self, _request: Request) -> Any:
        board = self._agent.board
        return {"agent": self._agent.identity(), "last": board.feed.newest, "events": board.all_events()}

    async def look(self, _request: Request) -> Any:
        last = await self._agent.look()
        return {"run": self._agent.board.feed.run, "last": last}

    async def rows(self, request: Request) -> Any:
        ports = frozenset(map(_port, request.query_params.getlist("port")))
        return {"rows": [spell_row(row) for row in await self._agent.rows(ports)]}

    async def program(self, request: Request) -> Any:
        pid = await self._leader(request)
        return {"pid": pid, "alive": is_alive(pid)}

    async def signal(self, request: Request) -> Any:
        if not self._allow_signals:
            raise finproxy.Refusal(
                403,
                "this agent sends no signals",
                expected="an agent that was started with --allow-signals",
                what_to_do="start it so, in the pid namespace of the program and as the same user",
            )
        name = _signal_in(await finproxy.read_body(request.receive))
        pid = await self._leader(request)
        send_signal(pid, name)
        return {"pid": pid, "alive": is_alive(pid)}

    async def process(self, request: Request) -> Any:
        pid: int = request.path_params["pid"]
        return {"pid": pid, "alive": is_alive(pid)}

    async def _leader(self, request: Request) -> int:
        port: int = request.path_params["port"]
        rows = await self._agent.rows(frozenset({port}))
        return await trio.to_thread.run_sync(leader_of, rows, port)


class _Stream:
    """The answer that never ends."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._agent.listened_to():
            await finproxy.stream_events(self._agent.board.feed, scope, receive, send)


def _route(method: str, path: str, handler: _Handler) -> Route:
    async def answer(request: Request) -> finproxy.JsonAnswer:
        try:
            return finproxy.JsonAnswer(await handler(request))
        except UsageError as error:
            raise finproxy.Refusal(400, str(error)) from error
        except NotSignalledError as error:
            raise finproxy.Refusal(409, str(error)) from error
        except HarnessError as error:
            raise finproxy.Refusal(503, str(error)) from error

    return Route(path, answer, methods=[method])


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    refusal = finproxy.Refusal(404, f"no route {scope['path']}", expected="one such as /v1/endpoints")
    await refusal(scope, receive, send)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:6]) < 2**16:
        raise UsageError(f"expected a port from 1 to 65535, found {text[:80]!r}")
    return int(text)


def _signal_in(body: bytes) -> str:
    try:
        given = json.loads(body)
        return str(given["signal"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError('expected a JSON object such as {"signal": "SIGTERM"}') from error
