"""The tests' own network namespaces: whoever was inside is outside again."""

from __future__ import annotations

import threading
from pathlib import Path

import trio

from tests.finproxy.wire.kernel import network_namespace
from tests.harness.connections import needs_linux, needs_root

pytestmark = [needs_linux, needs_root]


def here() -> str:
    return str(Path("/proc/thread-self/ns/net").readlink())


def namespaces_of_threads(count: int) -> set[str]:
    """Where so many of Trio's threads are, all of them at work at the same time."""
    found = set()
    all_at_work = threading.Barrier(count)

    def look() -> None:
        found.add(here())
        all_at_work.wait(10)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(trio.to_thread.run_sync, look)

    trio.run(main)
    return found


def test_threads_that_trio_keeps_come_in_and_out_again() -> None:
    """Programs are started from them, by later tests too."""
    outside = here()
    assert namespaces_of_threads(2) == {outside}
    with network_namespace():
        assert here() != outside
        assert namespaces_of_threads(3) == {here()}
    assert namespaces_of_threads(4) == {outside}
