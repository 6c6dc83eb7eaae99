"""The target of a request in its absolute form, as HTTP proxies are asked, brought into the usual one.

RFC 9112 section 3.2.2: a server must accept ``GET http://host:port/path``, and takes the host from there, not
from the Host header. This module must not know what is done with a request.
"""

from __future__ import annotations

from urllib.parse import unquote

from starlette.types import Scope


def in_origin_form(scope: Scope) -> Scope:
    """The scope of a request whose target is a path, and whose Host header is that of the target."""
    target: bytes = scope["raw_path"]
    scheme, _, rest = target.partition(b"://")
    if scheme.lower() not in {b"http", b"https"}:
        return scope
    authority, slash, path = rest.partition(b"/")
    raw = slash + path or b"/"
    headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
    return {
        **scope,
        "raw_path": raw,
        "path": unquote(raw.decode("ascii")),
        "headers": [*headers, (b"host", authority)],
    }
