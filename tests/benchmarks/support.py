"""What the benchmarks share: a proxy in a process of its own, its memory and descriptors, percentiles."""

from __future__ import annotations

import json
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

KIB = 1024
MIB = 1024 * KIB


class ProxyProcess:
    """A ``finproxy run`` in front of a port of this machine, with its journal."""

    def __init__(self, upstream_port: int, rules: Sequence[str] = (), *options: str) -> None:
        rule_options = [word for rule in rules for word in ("--rule", rule)]
        command = [sys.executable, "-m", "finproxy", "run", "0", f"127.0.0.1:{upstream_port}", *rule_options]
        self.process = subprocess.Popen(
            [*command, "--quiet", "--journal", "-", *options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        first = json.loads(self.process.stdout.readline())
        self.address: tuple[str, int] = (first["address"][0], first["address"][1])
        self.records: list[dict[str, object]] = []
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, journal: Iterator[str]) -> None:
        self.records.extend(json.loads(line) for line in journal)

    def memory(self) -> int:
        """Bytes of resident memory now."""
        return status(self.process.pid, "VmRSS")

    def peak_memory(self) -> int:
        """The most bytes of resident memory so far."""
        return status(self.process.pid, "VmHWM")

    def descriptors(self) -> int:
        """Open file descriptors now."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def stop(self) -> None:
        """Stop it as a user would, and read its journal to the end."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._reader.join(30)


@contextmanager
def proxy_process(upstream_port: int, rules: Sequence[str] = (), *options: str) -> Iterator[ProxyProcess]:
    """A proxy for the length of a block."""
    proxy = ProxyProcess(upstream_port, rules, *options)
    try:
        yield proxy
    finally:
        proxy.stop()


@contextmanager
def listener() -> Iterator[socket.socket]:
    """A listening socket on the loopback interface, with room for a crowd."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as server:
        yield server


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that calls `serve` with each connection, one after the other; yields its port."""
    with listener() as server:
        threading.Thread(target=_accept_for_ever, args=(server, serve), daemon=True).start()
        yield server.getsockname()[1]


def _accept_for_ever(server: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return  # the benchmark is over and the listener closed
        serve(connection)


def allow_many_files() -> None:
    """Raise this process's limit on open files as far as the system lets it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def status(pid: int, field: str) -> int:
    """A size in the process's status, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * KIB
    raise LookupError(field)
