"""The OpenAPI document of /v1 (version 3.1), made from the table of operations and its shapes.

This module must not know any single operation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ... import __version__
from .asked import Given
from .operations import JSON, Operation
from .shapes import Problem

_REF = "#/components/schemas/{name}"


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document."""
    shapes = _shapes(operations)
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    of = dict(zip(map(id, shapes), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        mark = operation.mark
        paths.setdefault(mark.path, {})[mark.method.lower()] = {
            "summary": operation.summary,
            "operationId": operation.identifier,
            "parameters": [
                *_parameters(operation.path, "path", components),
                *_parameters(mark.query, "query", components),
            ],
            **_body(operation, of),
            "responses": _responses(operation, of),
        }
    parameters = {shape.__name__ for o in operations for shape in (o.path, o.mark.query)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "finproxy",
            "version": __version__,
            "description": "Steers a running finproxy. Toxiproxy's API is served beside this one.",
        },
        "paths": paths,
        "components": {
            "schemas": {name: shape for name, shape in components.items() if name not in parameters},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _shapes(operations: Iterable[Operation]) -> list[Any]:
    found: list[Any] = [Problem]
    for operation in operations:
        found += [operation.path, operation.mark.query]
        found += [shape for shape in (operation.body, operation.answer) if shape is not None]
    return list({id(shape): shape for shape in found}.values())


def _parameters(shape: type[Given], where: str, components: dict[str, Any]) -> list[dict[str, Any]]:
    schema = components[shape.__name__]
    return [
        {
            "name": name,
            "in": where,
            "required": where == "path" or name in schema.get("required", ()),
            "schema": _without_null(one),
        }
        for name, one in schema.get("properties", {}).items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out rather than null: its text would be taken for itself."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    return {**rest, **kinds[0]}


def _body(operation: Operation, of: dict[int, Any]) -> dict[str, Any]:
    if operation.body is None:
        return {}
    return {"requestBody": {"required": True, "content": _json(of[id(operation.body)])}}


def _responses(operation: Operation, of: dict[int, Any]) -> dict[str, Any]:
    if operation.answer is not None:
        content = _json(of[id(operation.answer)])
    elif operation.mark.media != JSON:
        content = {operation.mark.media: {"schema": {"type": "string"}}}
    else:
        content = {}
    problem = _json(of[id(Problem)])
    refusals = {400: "The request cannot be meant.", **_ALWAYS, **operation.mark.refusals}
    return {
        str(operation.mark.status): {"description": "Done."} | ({"content": content} if content else {}),
        **{str(status): {"description": why, "content": problem} for status, why in refusals.items()},
    }


_ALWAYS = {
    401: "The token is missing or wrong.",
    403: "The Host or the Origin is not allowed.",
    408: "The body did not come.",
    413: "The body is too large.",
}


def _json(schema: Any) -> dict[str, Any]:
    return {JSON: {"schema": schema}}
