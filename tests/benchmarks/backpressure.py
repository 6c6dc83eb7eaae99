"""Memory that 1 GiB adds to the proxy when its reader is slow."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from .support import MIB, proxy_process, serving

_TOTAL = 1024 * MIB
_PIECE = 4 * MIB


def main(_arguments: list[str]) -> None:
    """Print the peak of memory added, and what was read."""
    with serving(_send_all) as port, proxy_process(port) as proxy:
        before = proxy.memory()
        with socket.create_connection(proxy.address) as client:
            started, read = time.perf_counter(), 0
            while data := client.recv(_PIECE, socket.MSG_WAITALL):
                read += len(data)
                time.sleep(0.002)  # the slowness that is measured
        added = proxy.peak_memory() - before
        print(f"{read / MIB:.0f} MiB through a slow reader in {time.perf_counter() - started:.1f} s:")
        print(f"  added to the proxy's memory at the peak: {added / MIB:.1f} MiB")


def _send_all(connection: socket.socket) -> None:
    threading.Thread(target=_send, args=(connection,), daemon=True).start()


def _send(connection: socket.socket) -> None:
    piece = bytes(MIB)
    with connection, contextlib.suppress(ConnectionError):
        for _ in range(_TOTAL // MIB):
            connection.sendall(piece)
