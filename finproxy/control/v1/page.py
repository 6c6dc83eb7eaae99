"""The API's page for people: the OpenAPI document as one HTML page that loads nothing from anywhere.

This module must not know the operations: it reads the document alone.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any

_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>finproxy API</title><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow:auto;padding:.5rem;border:1px solid #8886}
summary{cursor:pointer;padding:.2rem 0}td{padding:.1rem 1rem .1rem 0;vertical-align:top}
b.get{color:#16794c}b.post,b.put,b.patch{color:#a15c00}b.delete{color:#b3261e}
@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}b{filter:brightness(1.6)}}
</style><h1>finproxy API</h1>
<p>The same as JSON: <a href="openapi.json">openapi.json</a>. Records as they come:
<code>curl -N .../v1/records/stream</code>.
Errors are JSON: what was expected, what was found, what to do.</p>
"""


def page(document: dict[str, Any]) -> str:
    """The page."""
    operations = "".join(
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    shapes = "".join(
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>{_pre(shape)}</details>'
        for name, shape in document["components"]["schemas"].items()
    )
    return f"{_HEAD}{operations}<h2>Shapes</h2>{shapes}</html>"


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    rows = [
        (status, answer["description"], _shape(answer)) for status, answer in operation["responses"].items()
    ]
    return (
        f'<details><summary><b class="{method}">{method.upper()}</b> <code>{escape(path)}</code> '
        f"{escape(operation['summary'])}</summary>"
        f"{_parameters(operation['parameters'])}{f'<p>Body: {_link(body)}</p>' if body else ''}"
        f"<table>{''.join(f'<tr><td>{s}<td>{escape(text)}<td>{shape}' for s, text, shape in rows)}</table>"
        "</details>"
    )


def _parameters(parameters: list[dict[str, Any]]) -> str:
    return "".join(
        f"<p>{escape(one['in'])}: <code>{escape(one['name'])}</code> {_pre(one['schema'])}</p>"
        for one in parameters
    )


def _shape(answer: dict[str, Any]) -> str:
    content = next(iter(answer.get("content", {}).values()), None)
    return _link(content["schema"]) if content else ""


def _link(schema: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f'<a href="#{escape(name)}">{escape(name)}</a>' if name else _pre(schema)


def _pre(schema: Any) -> str:
    return f"<pre>{escape(json.dumps(schema, indent=1))}</pre>"
