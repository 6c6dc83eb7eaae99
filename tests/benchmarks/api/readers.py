"""What fifty readers of the stream of records cost sessions: 49 who read, and one who does not."""

from __future__ import annotations

import json
import socket
import statistics
from contextlib import ExitStack, suppress

from .stage import Stage, figures

_READERS = 50
_SECONDS = 3.0
_ROUNDS = 3
_AT_ONCE = 4
"""Sessions at once: enough that the proxy never waits for whoever opens them."""
_FILTERS = ("", "?event=session.refused", "?event=fin.")


def print_readers(stage: Stage) -> None:
    """Print sessions a second without readers and with them, and what became of the one that is stalled."""
    print(f"{_READERS - 1} readers of records and one that is stalled, {_AT_ONCE} sessions at once")
    alone: list[float] = []
    beside: dict[str, list[tuple[float, float, float]]] = {query: [] for query in _FILTERS}
    with ExitStack() as stack:
        told = stack.enter_context(_stream(stage, "?event=reader.dropped"))
        stack.enter_context(_stream(stage, "?after=0"))  # nobody reads this one
        for _ in range(_ROUNDS):
            alone.append(_sessions(stage))
            for query, found in beside.items():
                found.append(_beside(stage, query))
        why = _why_dropped(told)
    print(f"  without readers          {statistics.median(alone):6,.0f} sessions/s")
    for query, found in beside.items():
        rate, least, most = (statistics.median(column) for column in zip(*found, strict=True))
        change = 100 * (rate / statistics.median(alone) - 1)
        print(f"  {query or 'all records':24} {rate:6,.0f} sessions/s ({change:+.0f} %), ", end="")
        print(f"{least / 1e6:.2f} to {most / 1e6:.2f} MB received by each")
    print(f"  the stalled one          {why}")


def _sessions(stage: Stage) -> float:
    run = stage.run("sessions", stage.proxy, _SECONDS, _AT_ONCE, program=stage.relay_load)
    return run["sessions_per_s"]


def _beside(stage: Stage, query: str) -> tuple[float, float, float]:
    readers = stage.start(
        "follow", stage.served.address[1], _SECONDS, _READERS - 1, f"/v1/records/stream{query}"
    )
    rate = _sessions(stage)
    found = figures(readers)
    return rate, found["least_bytes"], found["most_bytes"]


def _stream(stage: Stage, query: str) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(stage.served.address)
    sock.sendall(f"GET /v1/records/stream{query} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    return sock


def _why_dropped(told: socket.socket) -> str:
    told.settimeout(_SECONDS)
    said = b""
    with suppress(TimeoutError):
        while b"\n\n" not in said.partition(b"data: ")[2]:
            said += told.recv(4096)
        return f"dropped: {json.loads(said.partition(b'data: ')[2].splitlines()[0])['why']}"
    return "NOT dropped"
