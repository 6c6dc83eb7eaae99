"""What an operation of /v1 is, and how a request becomes a call and its result an answer.

An operation is a method marked with `operation`: its parameters say what a request may contain, its docstring
is its description. Routes, checks and the OpenAPI document all come from that. This module must not know any
operation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import getmembers_static, isfunction
from typing import Any, TypeVar, get_type_hints

import msgspec
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from ...errors import FinproxyError
from ...web.bodies import read_body
from ...web.problems import Refusal
from .asked import Given, NoParameters
from .refusals import cannot_be_meant, explain

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])

JSON = "application/json"
_MARK = "__operation__"


@dataclass(frozen=True, slots=True)
class Mark:
    """What cannot be read from a method itself."""

    method: str
    path: str
    status: int = 200
    query: type[Given] = NoParameters
    media: str = JSON
    refusals: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    mark: Mark
    call: Callable[..., Awaitable[Any]]
    path: type[Given]
    body: type[Given] | None
    answer: Any
    """The type of the answer; None where there is none, or where it is not JSON."""

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return (self.call.__doc__ or "").strip().partition("\n")[0]

    @property
    def identifier(self) -> str:
        """Its name, which no other has."""
        return self.call.__name__


def operation(
    method: str,
    path: str,
    *,
    status: int = 200,
    query: type[Given] = NoParameters,
    media: str = JSON,
    refusals: Mapping[int, str] | None = None,
) -> Callable[[Handler], Handler]:
    """Mark a method as an operation.

    It takes what it needs of `path`, `query` and `body`, each of the type that its annotation says, and
    returns the answer. With a `media` other than JSON it is an ASGI application instead, and answers itself.

    Args:
        method: of HTTP.
        path: with ``{parameters}``.
        status: of the answer.
        query: what the query may contain.
        media: the type of the answer.
        refusals: what else can be wrong than the request itself, by status.
    """

    def mark(handler: Handler) -> Handler:
        setattr(handler, _MARK, Mark(method, path, status, query, media, refusals or {}))
        return handler

    return mark


def operations_of(*apis: object) -> list[Operation]:
    """All marked methods, in the order of their definition."""
    return [_operation(api, name, mark) for api in apis for name, mark in _marked(type(api))]


def _marked(api: type) -> list[tuple[str, Mark]]:
    found = [(f, n) for n, f in getmembers_static(api, isfunction) if hasattr(f, _MARK)]
    found.sort(key=lambda pair: pair[0].__code__.co_firstlineno)
    return [(name, getattr(function, _MARK)) for function, name in found]


def _operation(api: object, name: str, mark: Mark) -> Operation:
    call = getattr(api, name)
    hints = get_type_hints(call)
    answer = hints.get("return")
    return Operation(
        mark=mark,
        call=call,
        path=hints.get("path", NoParameters),
        body=hints.get("body"),
        answer=None if answer is type(None) else answer,
    )


def routes_of(operations: Iterable[Operation]) -> list[BaseRoute]:
    """A route for each path, whatever its methods."""
    by_path: dict[str, dict[str, Operation]] = {}
    for one in operations:
        by_path.setdefault(one.mark.path, {})[one.mark.method] = one
    return [Route(path, _Path(methods)) for path, methods in by_path.items()]


class _Path:
    """The operations of one path, by method."""

    def __init__(self, operations: dict[str, Operation]) -> None:
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in self._operations:
            known = ", ".join(self._operations)
            raise Refusal(
                405,
                "this path has other methods",
                expected=known,
                found=scope["method"],
                headers={"allow": known},
            )
        try:
            await _answer(self._operations[method], scope, receive, send)
        except Refusal:
            raise
        except FinproxyError as error:
            raise explain(error) from error


async def _answer(operation: Operation, scope: Scope, receive: Receive, send: Send) -> None:
    mark, hints = operation.mark, operation.call.__annotations__
    path = _read(dict(scope["path_params"]), operation.path, "the path")
    query = _read(dict(QueryParams(scope["query_string"]).items()), mark.query, "the query")
    if mark.media != JSON:
        await operation.call(scope, receive, send)
        return
    given = {"path": path, "query": query, "body": await _read_body(operation, receive)}
    answer = await operation.call(**{name: value for name, value in given.items() if name in hints})
    content = b"" if operation.answer is None else msgspec.json.encode(answer)
    media = mark.media if content else None
    await Response(content, mark.status, media_type=media)(scope, receive, send)


async def _read_body(operation: Operation, receive: Receive) -> Any:
    body = await read_body(receive)
    if operation.body is None:
        return None
    try:
        return msgspec.json.decode(body or b"{}", type=operation.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise cannot_be_meant("the body", str(error)) from error


def _read(values: Mapping[str, Any], shape: type[Given], where: str) -> Any:
    try:
        return msgspec.convert(values, shape, strict=False)
    except msgspec.ValidationError as error:
        raise cannot_be_meant(where, str(error)) from error
