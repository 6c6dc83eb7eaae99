"""Whose socket is whose."""

from __future__ import annotations

import os
import socket

from harness.holdings import all_sockets, described, listeners
from tests.harness.connections import connected, needs_linux

pytestmark = needs_linux


def test_a_listener_is_found_with_its_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            (row,) = listeners(port)
    assert row.owner is not None
    assert row.owner.pid == os.getpid()
    assert listeners(port) == []


def test_both_ends_of_a_connection_are_told_in_one_line_each() -> None:
    with connected() as pair:
        told = [described(row) for row in all_sockets() if row.endpoint in (pair.endpoint, pair.peer)]
    assert len(told) == 2
    assert all("ESTABLISHED" in line and f"[{os.getpid()}]" in line for line in told)
