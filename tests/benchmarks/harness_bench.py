"""What watching costs and what it sees: `python -m tests.benchmarks.harness_bench`.

Loopback only, bounded, every socket closed at the end. Prints one line a figure: name, value, and its limit
with ok or MISSED if it has one. Exit code 1 if a limit was missed. Without root the tracepoint part is left
out, and says so.
"""

import argparse
import contextlib
import resource
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

import harness
from harness.ladders import ACTIVE_CLOSE, PASSIVE_CLOSE, match
from harness.rows import Endpoint
from harness.sources.sock_diag import SockDiag
from harness.states import TcpState
from harness.transitions import Inferred, Observed, Transition
from harness.watching.seen_endpoint import SeenEndpoint

_LOOKS = 3_000
_IDLE_SECONDS = 5.0
_CLIENTS = 4


@dataclass(frozen=True)
class Figure:
    """A measured value; `limit` is the most (or least, if `at_least`) that it may be."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False

    @property
    def ok(self) -> bool:
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        limit = "" if self.limit is None else f"  {sign} {self.limit:g} {'ok' if self.ok else 'MISSED'}"
        return f"{self.name:<64} {self.value:>10.4g} {self.unit}{limit}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run all measurements and print them. Returns 0, or 1 if a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sockets", type=int, default=17_000, help="sockets in the table for the look-up figure"
    )
    parser.add_argument("--sessions", type=int, default=1_000, help="sessions to churn")
    parser.add_argument("--as-load", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.as_load:
        return be_load(options.sessions)
    allow_many_files()
    missed = False
    for measure in measurements(options.sockets, options.sessions):
        for figure in measure():
            print(figure, flush=True)
            missed = missed or not figure.ok
    return int(missed)


def measurements(sockets: int, sessions: int) -> list[Callable[[], Iterator[Figure]]]:
    """Return what is measured, in order; churn comes last because it fills the table with TIME-WAIT."""
    return [
        lambda: look_up(sockets),
        lambda: idle_watch(100, None),
        lambda: idle_watch(100, "sock_diag"),
        lambda: report_delay("sock_diag"),
        lambda: report_delay(None),
        lambda: churn(sessions, "sock_diag"),
        lambda: churn(sessions, None),
    ]


def look_up(sockets: int) -> Iterator[Figure]:
    """One exact look-up with many sockets in the table."""
    with connections(sockets // 2) as pairs, contextlib.closing(SockDiag()) as source:
        total = len(source.rows())
        endpoint = endpoint_of(pairs[0][0])
        took = sorted(timed(lambda: source.look([endpoint])) for _ in range(_LOOKS))
    yield Figure("sockets in the table", total, "")
    yield Figure("one endpoint looked up, p50", statistics.median(took) * 1e3, "ms", limit=0.1)
    yield Figure("one endpoint looked up, p99", took[int(0.99 * len(took))] * 1e3, "ms")


def idle_watch(count: int, source: str | None) -> Iterator[Figure]:
    """CPU time of this process while it watches idle endpoints and does nothing else."""
    with connections(count // 2) as pairs:
        endpoints = [endpoint_of(end) for pair in pairs for end in pair]
        with harness.watch(*endpoints, source=source):
            began_cpu, began = time.process_time(), time.monotonic()
            time.sleep(_IDLE_SECONDS)
            share = (time.process_time() - began_cpu) / (time.monotonic() - began)
    name = f"CPU for {count} idle endpoints, {source or 'all sources'}"
    yield Figure(name, share * 100, "% of a core", limit=2)


def report_delay(source: str | None, rounds: int = 100) -> Iterator[Figure]:
    """From shutdown() to the moment at which a waiter knows of FIN-WAIT-1 or later."""
    took: list[float] = []
    for _ in range(rounds):
        with connections(1) as [(client, _server)], harness.watch(endpoint_of(client), source=source) as seen:
            began = time.monotonic()
            client.shutdown(socket.SHUT_WR)
            seen.client.wait_for(TcpState.FIN_WAIT_1, within=5)
            took.append(time.monotonic() - began)
    took.sort()
    name = f"from state to report, {source or 'all sources'}"
    yield Figure(f"{name}, p50", took[rounds // 2] * 1e3, "ms")
    yield Figure(f"{name}, p99", took[int(0.99 * rounds)] * 1e3, "ms")


def churn(sessions: int, source: str | None) -> Iterator[Figure]:
    """Let another process open and close sessions as fast as it can; count which rungs were seen."""
    name = f"churn, {source or 'all sources'}"
    with load(sessions) as (port, go), harness.watch(ports=[port], source=source) as seen:
        if source is None and "tracepoint" not in seen.sources:
            print(f"{name}: left out; {'; '.join(seen.notes)}")
            return
        took = go()
        seen.settled(within=60, quiet=0.5)
    yield Figure(f"{name}: sessions a second", sessions / took, "/s")
    yield from judged(name, seen.endpoints, sessions, complete=source is None)


def judged(name: str, ends: Sequence[SeenEndpoint], sessions: int, *, complete: bool) -> Iterator[Figure]:
    """Compare what was seen of each end with its ladder: four rungs at the client, four at the server.

    Transitions that the kernel announced count as seen; a TIME-WAIT that an RST ended before a look could
    show its row was announced (FIN-WAIT-2 was left without a reset), and is also counted by itself.
    """
    seen = in_order = twice = ended = 0
    server_port = statistics.mode(end.endpoint.local.port for end in ends)
    for end in ends:
        ladder = PASSIVE_CLOSE if end.endpoint.local.port == server_port else ACTIVE_CLOSE
        announced = [step.after for step in end.transitions if complete and is_early_end(step)]
        steps = [step.after for step in end.transitions if isinstance(step.evidence, Observed)] + announced
        ended += len(announced)
        seen += len({*ladder.states} & {*steps})
        in_order += match(ladder, end.transitions, now=0, strict=True).ok
        twice += len(steps) - len(set(steps))
    limit = 100.0 if complete else None
    yield Figure(f"{name}: rungs seen", 100 * seen / (8 * sessions), "%", limit, at_least=True)
    yield Figure(f"{name}: ends complete and in order", 50 * in_order / sessions, "%", limit, at_least=True)
    yield Figure(f"{name}: rungs seen twice", twice, "", 0 if complete else None)
    yield Figure(f"{name}: TIME-WAITs ended by an RST before a look", ended, "")


def is_early_end(step: Transition) -> bool:
    """Whether this TIME-WAIT is known from the event that led to it and not from its row."""
    return step.after is TcpState.TIME_WAIT and isinstance(step.evidence, Inferred)


@contextmanager
def load(sessions: int) -> Iterator[tuple[int, Callable[[], float]]]:
    """Give the port of a server in another process, and a call that makes the sessions and times them."""
    argv = [sys.executable, "-m", "tests.benchmarks.harness_bench", "--as-load", "--sessions", str(sessions)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def go() -> float:
            stdin.write("go\n")
            stdin.flush()
            return float(stdout.readline())

        yield int(stdout.readline()), go


def be_load(sessions: int) -> int:
    """Be the process that makes the sessions: say the port, wait to be told, say the seconds it took."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        address = listener.getsockname()
        print(address[1], flush=True)
        sys.stdin.readline()
        clients = [Thread(target=close_first, args=(address, sessions // _CLIENTS)) for _ in range(_CLIENTS)]
        began = time.monotonic()
        for client in clients:
            client.start()
        for _ in range(sessions // _CLIENTS * _CLIENTS):
            server, _address = listener.accept()
            server.recv(1)
            server.close()
        for client in clients:
            client.join()
        print(time.monotonic() - began, flush=True)
        sys.stdin.read()
    return 0


def close_first(address: tuple[str, int], sessions: int) -> None:
    """Open sessions one after the other, half-close each, and leave when the server has closed too."""
    for _ in range(sessions):
        with socket.create_connection(address) as client:
            client.shutdown(socket.SHUT_WR)
            client.recv(1)


@contextmanager
def connections(count: int) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Give `count` connections; they are reset at the end, so that no TIME-WAIT is left in the table."""
    pairs: list[tuple[socket.socket, socket.socket]] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        try:
            for _ in range(count):
                client = socket.create_connection(listener.getsockname())
                pairs.append((client, listener.accept()[0]))
            yield pairs
        finally:
            for client, server in pairs:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                server.close()


def endpoint_of(item: socket.socket) -> Endpoint:
    return Endpoint.of((item.getsockname(), item.getpeername()))


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def allow_many_files() -> None:
    """Raise the limit of open files as far as we may."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
