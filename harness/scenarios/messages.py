"""What goes over the connections of a play: a request, bodies, and answers of HTTP.

This module must not know who sends them.
"""

BODY = b"".join(b"line %04d\n" % number for number in range(2000))
"""20 kB that a client prints, and that fit into what is kept of its output."""
HALF = len(BODY) // 2
ONE = b"the answer\n"
"""A body for clients that ask several times."""

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""What goes through any relay, also through one that understands HTTP."""


def upload_head(size: int, path: str = "/", host: str = "localhost") -> bytes:
    """The header of a POST whose body has so many bytes."""
    lines = (f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {size}", "", "")
    return "\r\n".join(lines).encode()


def http_answer(body: bytes, *, with_length: bool = True, close: bool = False) -> bytes:
    """An answer: of HTTP/1.1 with the body's length, or of HTTP/1.0, delimited by the connection's end."""
    version, length = ("1.1", f"Content-Length: {len(body)}\r\n") if with_length else ("1.0", "")
    closes = "Connection: close\r\n" if close else ""
    head = f"HTTP/{version} 200 OK\r\nContent-Type: text/plain\r\n{length}{closes}\r\n"
    return head.encode() + body
