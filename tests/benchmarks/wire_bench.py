"""How fast a held FIN comes in after its release, and whether a thousand can be held at once.

Run it as `python -m tests.benchmarks wire [--rounds N] [--at-once N]`; root for all three techniques. For
each one that proves itself here it prints the time from release() to the sender's next state, bare and
through a proxy, and what a filter costs that is not used.
"""

import argparse
import contextlib
import resource
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from finproxy.wire.choice import probe_all
from finproxy.wire.tcp_info import KernelState, state
from finproxy.wire.technique import Sight, Technique, WireHold

from .wire_through import through_proxy, unused

PENDING = 100_000
"""Bytes sent ahead of the FIN where a technique needs them."""
HELD = {Sight.KEPT_OUT, Sight.WINDOW_SHUT}

Held = tuple[socket.socket, socket.socket, WireHold]


@contextlib.contextmanager
def listening(technique: Technique) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        technique.prepare(listener)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        yield listener


def held(technique: Technique, listener: socket.socket, stack: contextlib.ExitStack) -> Held:
    """Connect a peer, hold its leg, and let the peer end its flow."""
    peer = stack.enter_context(socket.create_connection(listener.getsockname()))
    leg = stack.enter_context(listener.accept()[0])
    leg.setblocking(False)
    hold = technique.hold(leg)
    stack.callback(hold.close)
    if technique.abilities.stops_reading:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PENDING * 4)
        peer.sendall(bytes(PENDING))
    peer.shutdown(socket.SHUT_WR)
    return peer, leg, hold


def settle(peer: socket.socket, leg: socket.socket, hold: WireHold) -> None:
    """Do what a session does after release: read up to EOF, close the hold. Return when the sender moved."""
    spin(lambda: at_end(leg))
    hold.close()
    spin(lambda: state(peer) is not KernelState.FIN_WAIT_1)


def at_end(leg: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        while leg.recv(65536):
            pass
        return True
    return False


def one_by_one(technique: Technique, rounds: int) -> list[float]:
    """Return the seconds from release to the sender's next state, once a round."""
    with listening(technique) as listener:
        return [one_round(technique, listener) for _ in range(rounds)]


def one_round(technique: Technique, listener: socket.socket) -> float:
    with contextlib.ExitStack() as stack:
        peer, leg, hold = held(technique, listener, stack)
        spin(lambda: hold.look() in HELD)
        began = time.perf_counter()
        hold.release()
        settle(peer, leg, hold)
        return time.perf_counter() - began


def at_once(technique: Technique, count: int) -> tuple[int, float]:
    """Hold this many FINs together; return how many held their sender, and the seconds to release all."""
    with listening(technique) as listener, contextlib.ExitStack() as stack:
        legs = [held(technique, listener, stack) for _ in range(count)]
        spin(lambda: all(hold.look() in HELD for _, _, hold in legs))
        stuck = sum(state(peer) is KernelState.FIN_WAIT_1 for peer, _, _ in legs)
        began = time.perf_counter()
        for _, _, hold in legs:
            hold.release()
        for one in legs:
            settle(*one)
        return stuck, time.perf_counter() - began


def spin(holds: Callable[[], bool], within: float = 60.0) -> None:
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected the awaited state within {within} s")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=15, help="of rounds with and without a filter")
    asked = parser.parse_args(argv)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # three fds for each FIN that is held
    print("| technique | release to next state, p50 | p99 | held at once | all released in |")
    print("|---|---|---|---|---|")
    proved = []
    for technique, probe in probe_all():
        if not probe.ok:
            print(f"| {technique.name} | not here: {probe.why} | | | |")
            continue
        with contextlib.closing(technique):
            print(row(technique, asked.rounds, asked.at_once), flush=True)
            proved.append(technique.name)
    print("\n| through the proxy | release to next state, p50 | p99 | held at once | all released in |")
    print("|---|---|---|---|---|")
    for name in proved:
        through_proxy(name, asked.rounds, asked.at_once)
    print("\n| technique, unused | bulk throughput, 1 = without | small messages |\n|---|---|---|")
    for name in proved:
        unused(name, asked.pairs)
    return 0


def row(technique: Technique, rounds: int, count: int) -> str:
    milliseconds = [seconds * 1000 for seconds in one_by_one(technique, rounds)]
    p99 = statistics.quantiles(milliseconds, n=100, method="inclusive")[98]
    stuck, seconds = at_once(technique, count)
    middle = statistics.median(milliseconds)
    return f"| {technique.name} | {middle:.2f} ms | {p99:.2f} ms | {stuck} of {count} | {seconds:.2f} s |"


if __name__ == "__main__":
    sys.exit(main())
