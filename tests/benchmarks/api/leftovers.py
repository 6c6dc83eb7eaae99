"""What 10,000 toxics, added and removed over the API, leave behind."""

from __future__ import annotations

import http.client
import json
import time

from ..support import KIB, status
from .stage import Stage

_TOXICS = 10_000


def print_leftovers(stage: Stage) -> None:
    """Print memory and descriptors before and after."""
    connection = http.client.HTTPConnection(*stage.served.address, timeout=60)
    _come_and_go(connection, _TOXICS // 10)  # what is taken once stays
    before = _state(stage)
    started = time.monotonic()
    _come_and_go(connection, _TOXICS)
    took = time.monotonic() - started
    after = _state(stage)
    connection.close()
    print(f"{_TOXICS} toxics added and removed, in {took:.1f} s ({2 * _TOXICS / took:,.0f} calls/s)")
    for name, count in before.items():
        print(f"  {name:12} {count:9} before {after[name]:9} after")


def _come_and_go(connection: http.client.HTTPConnection, times: int) -> None:
    for number in range(times):
        toxic = {"name": f"t{number}", "type": "latency", "attributes": {"latency": 10}}
        _ask(connection, "POST", "/proxies/web/toxics", json.dumps(toxic))
        _ask(connection, "DELETE", f"/proxies/web/toxics/t{number}")


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> None:
    connection.request(method, path, body)
    with connection.getresponse() as answer:
        assert answer.status < 300, answer.status
        answer.read()


def _state(stage: Stage) -> dict[str, int]:
    return {
        "memory KiB": status(stage.process.pid, "VmRSS") // KIB,
        "descriptors": stage.process.num_fds(),
    }
