"""Memory of the proxy with 5,000 sessions open and idle, and then with all their FINs held."""

from __future__ import annotations

import socket
import time

from .support import KIB, ProxyProcess, allow_many_files, proxy_process, serving

_SESSIONS = 5000


def main(arguments: list[str]) -> None:
    """Print KiB of resident memory a session; the number of sessions may be given."""
    sessions = int(arguments[0]) if arguments else _SESSIONS
    allow_many_files()
    kept: list[socket.socket] = []
    with serving(kept.append) as port, proxy_process(port, ["client.fin -> hold"], "--grace", "0s") as proxy:
        before = proxy.memory()
        clients = [socket.create_connection(proxy.address) for _ in range(sessions)]
        _wait_until(proxy, "session.opened", sessions)
        open_memory = proxy.memory()
        for client in clients:
            client.shutdown(socket.SHUT_WR)
        _wait_until(proxy, "fin.held", sessions)
        held_memory = proxy.memory()
        print(f"{sessions} sessions, resident memory of the proxy, added to {before / KIB / KIB:.1f} MiB:")
        print(f"  open and idle   {(open_memory - before) / KIB / sessions:5.1f} KiB a session")
        print(f"  all FINs held   {(held_memory - before) / KIB / sessions:5.1f} KiB a session")
        for connection in (*clients, *kept):
            connection.close()


def _wait_until(proxy: ProxyProcess, event: str, count: int) -> None:
    while sum(record["event"] == event for record in tuple(proxy.records)) < count:
        time.sleep(0.05)
