"""How exactly a delayed FIN leaves: 100 sessions at once, each FIN delayed by 250 ms."""

from __future__ import annotations

import socket

from .support import percentile, proxy_process, serving

_SESSIONS = 100
_DELAY = 0.250


def main(_arguments: list[str]) -> None:
    """Print how much later than asked the FIN left, from the proxy's own records and as the client saw it."""
    kept: list[socket.socket] = []
    with serving(kept.append) as port, proxy_process(port, ["client.fin -> delay 250ms"]) as proxy:
        clients = [socket.create_connection(proxy.address) for _ in range(_SESSIONS)]
        servers = _wait_for(kept)
        for client in clients:
            client.shutdown(socket.SHUT_WR)
        for server in servers:
            server.recv(1)  # EOF, when the delayed FIN has arrived
        for connection in (*clients, *servers):
            connection.close()
    late = [wait - _DELAY for wait in _waits(proxy.records)]
    print(f"{_SESSIONS} sessions at once, rule 'client.fin -> delay 250ms': FIN sent later than asked by")
    for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
        print(f"  {name}  {percentile(late, share) * 1000:6.2f} ms")


def _wait_for(connections: list[socket.socket]) -> list[socket.socket]:
    while len(connections) < _SESSIONS:
        pass  # the accepting thread is filling the list
    return connections


def _waits(records: list[dict[str, object]]) -> list[float]:
    came = {r["session"]: r["t"] for r in records if r["event"] == "fin.received" and r["leg"] == "client"}
    left = {r["session"]: r["t"] for r in records if r["event"] == "fin.sent" and r["leg"] == "server"}
    return [float(str(left[session])) - float(str(came[session])) for session in came]
