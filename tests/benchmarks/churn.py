"""What 10,000 sessions, opened and closed, leave behind in the proxy."""

from __future__ import annotations

import socket
import threading
import time

from .support import KIB, ProxyProcess, proxy_process, serving

_SESSIONS = 10_000
_AT_ONCE = 4


def main(_arguments: list[str]) -> None:
    """Print sessions a second, and the descriptors and memory before and after."""
    with serving(_answer) as port, proxy_process(port) as proxy:
        _churn(proxy, 500)  # so that everything that is made once has been made
        before, memory = proxy.descriptors(), proxy.memory()
        started = time.perf_counter()
        _churn(proxy, _SESSIONS)
        seconds = time.perf_counter() - started
        while proxy.descriptors() > before and time.perf_counter() - started < seconds + 5:
            time.sleep(0.01)
        print(f"{_SESSIONS} sessions in {seconds:.1f} s ({_SESSIONS / seconds:.0f} a second):")
        print(f"  descriptors  {before} before, {proxy.descriptors()} after")
        print(f"  memory       {memory / KIB:.0f} KiB before, {proxy.memory() / KIB:.0f} KiB after")


def _churn(proxy: ProxyProcess, sessions: int) -> None:
    share = sessions // _AT_ONCE
    workers = [threading.Thread(target=_visit, args=(proxy.address, share)) for _ in range(_AT_ONCE)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _visit(address: tuple[str, int], times: int) -> None:
    for _ in range(times):
        with socket.create_connection(address) as client:
            client.sendall(b"ping")
            client.shutdown(socket.SHUT_WR)
            while client.recv(100):
                pass


def _answer(connection: socket.socket) -> None:
    with connection:
        while data := connection.recv(100):
            connection.sendall(data)
