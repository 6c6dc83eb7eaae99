"""Real connections on loopback for tests, and what tests need to know of this machine."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import Endpoint

needs_linux = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root (tracefs, namespaces)")

TABLES = ("sock_diag", "procfs", "psutil")


def has_tracefs() -> bool:
    """Whether this machine lets us trace at all; containers often do not, even as root."""
    return os.geteuid() == 0 and Path("/sys/kernel/tracing").is_dir()


needs_tracefs = pytest.mark.skipif(not has_tracefs(), reason="needs root and tracefs")
SOURCES = (*TABLES, pytest.param("tracepoint", marks=needs_tracefs))


@dataclass
class Pair:
    """The two ends of one connection."""

    client: socket.socket
    server: socket.socket
    endpoint: Endpoint

    @property
    def peer(self) -> Endpoint:
        return self.endpoint.peer


@contextmanager
def connected(host: str = "127.0.0.1", *, listens_dual: bool = False) -> Iterator[Pair]:
    """Connect over loopback; `listens_dual`: the server end is an IPv6 socket with v4-mapped addresses."""
    if listens_dual:
        listener = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, 0), family=family)
    with listener, socket.create_connection((host, listener.getsockname()[1])) as client:
        server, _ = listener.accept()
        with server:
            yield Pair(client, server, Endpoint.of((client.getsockname(), client.getpeername())))


def abort(item: socket.socket) -> None:
    """Close with RST."""
    item.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    item.close()
