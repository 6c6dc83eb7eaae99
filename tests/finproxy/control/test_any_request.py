"""Whatever is sent, nothing is answered with 500: requests made from the OpenAPI document, and worse ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finproxy.control.v1.openapi import document
from finproxy.control.v1.operations import operations_of

from .conftest import Served, serving

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["127.0.0.1:0", "80", "client.fin -> hold", "latency", "upstream", "client", "reset"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _document() -> dict[str, Any]:
    from finproxy.control.v1.about_proxies import AboutProxies
    from finproxy.control.v1.about_records import AboutRecords
    from finproxy.control.v1.about_sessions import AboutSessions

    # The operations are read from the classes: what they work on is not asked.
    apis = (cls.__new__(cls) for cls in (AboutProxies, AboutSessions, AboutRecords))
    return document(operations_of(*apis))


DOCUMENT = _document()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if not path.endswith("/stream")  # it never ends
]


def _schema(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = DOCUMENT["components"]["schemas"][name] if name else schema
    return found


@st.composite
def _requests(draw: st.DrawFn) -> tuple[str, str, bytes, dict[str, str]]:
    method, path, operation = draw(st.sampled_from(OPERATIONS))
    for name in ("proxy", "session"):
        chosen = draw(
            st.sampled_from(["web", "1", "0", "-1", "none", "%2e%2e", "%00", "9" * 40, "%F0%9F%A6%88"])
        )
        path = path.replace(f"{{{name}}}", chosen)
    query = {
        one["name"]: draw(st.text(max_size=10) | st.sampled_from(["0", "-1", "9" * 30, "client.fin -> hold"]))
        for one in operation["parameters"]
        if one["in"] == "query" and draw(st.booleans())
    }
    body = b""
    if "requestBody" in operation:
        properties = _schema(operation["requestBody"]["content"]["application/json"]["schema"])["properties"]
        made = {name: draw(_VALUES) for name in properties if draw(st.booleans())}
        body = draw(st.just(json.dumps(made).encode()) | st.binary(max_size=20))
        body = body[: draw(st.integers(0, len(body)))] if draw(st.booleans()) else body
    return method, path, body, query


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(st.data())
async def test_no_request_to_v1_is_answered_with_500(data: st.DataObject) -> None:
    async with serving() as served:
        await served.create("web", ("127.0.0.1", 9))
        for _ in range(10):
            method, path, body, query = data.draw(_requests())
            await _is_answered(served, method, path, body, query)


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT"]),
    st.sampled_from(
        ["/proxies", "/proxies/web", "/proxies/web/toxics", "/proxies/web/toxics/t", "/populate", "/reset"]
    ),
    st.dictionaries(
        st.sampled_from(
            ["name", "listen", "upstream", "enabled", "type", "stream", "toxicity", "attributes", "NAME"]
        ),
        _VALUES,
    )
    | _VALUES,
)
async def test_no_request_to_toxiproxys_routes_is_an_unknown_failure(
    method: str, path: str, value: Any
) -> None:
    async with serving() as served:
        await served.create("web", ("127.0.0.1", 9), toxics=[{"type": "noop", "name": "t"}])
        answer = await served.client.request(method, path, content=json.dumps(value))

    # 500 is what Toxiproxy answers where a port cannot be had: then the error says so.
    assert answer.status_code < 500 or "a defect" not in answer.text


async def _is_answered(served: Served, method: str, path: str, body: bytes, query: dict[str, str]) -> None:
    answer = await served.client.request(method, path, content=body, params=query)
    assert answer.status_code < 500, f"{method} {path} {query} {body!r}: {answer.text}"
