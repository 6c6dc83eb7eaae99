"""A held leg on real sockets, by each technique; techniques that this machine refuses are skipped by name."""

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from finproxy.wire.nfqueue import NfQueue
from finproxy.wire.socket_filter import SocketFilter
from finproxy.wire.technique import Keep, Technique, WireHold
from finproxy.wire.zero_window import ZeroWindow
from tests.finproxy.wire.kernel import network_namespace

PENDING = 100_000
"""Bytes: more than zero-window's window, less than an ordinary one."""
LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


@dataclass
class Bench:
    """Makes listeners, peers and legs for one technique; closes all of them at the end."""

    technique: Technique
    family: int = socket.AF_INET
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def listener(self, keep: Keep | None = Keep.FIN) -> socket.socket:
        listener = self.stack.enter_context(socket.socket(self.family))
        if keep is not None:
            self.technique.prepare(listener, keep)
        listener.bind((LOOPBACK[socket.AddressFamily(self.family)], 0))
        listener.listen(128)
        return listener

    def peer(self, listener: socket.socket) -> socket.socket:
        """Connect, with room in the send buffer for all that a test sends: no sendall waits for a reader."""
        peer = self.stack.enter_context(socket.create_connection(listener.getsockname()[:2], timeout=10))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * PENDING)
        return peer

    def accepted(self, listener: socket.socket) -> socket.socket:
        return self.stack.enter_context(listener.accept()[0])

    def hold(self, leg: socket.socket, keep: Keep = Keep.FIN) -> WireHold:
        hold = self.technique.hold(leg, keep)
        self.stack.callback(hold.close)
        return hold

    def leg(self) -> tuple[socket.socket, socket.socket, WireHold]:
        """Return a peer, our leg to it and its hold."""
        listener = self.listener()
        peer = self.peer(listener)
        leg = self.accepted(listener)
        return peer, leg, self.hold(leg)

    def held(self) -> tuple[socket.socket, socket.socket, WireHold]:
        """Return the same, with as many pending bytes as the technique needs to hold a FIN."""
        peer, leg, hold = self.leg()
        if self.technique.abilities.stops_reading:
            fill(peer)
        return peer, leg, hold


def fill(peer: socket.socket) -> None:
    """Send more than a small window takes."""
    peer.sendall(bytes(PENDING))


def read_all(leg: socket.socket) -> bytes:
    """Read up to EOF."""
    leg.settimeout(10)
    return b"".join(iter(lambda: leg.recv(65536), b""))


def usable(technique: Technique) -> Technique:
    """Return it if it works here; otherwise skip, or fail where CI promised the privilege."""
    probe = technique.probe()
    if not probe.ok:
        if os.environ.get("CI") and os.geteuid() == 0:
            pytest.fail(f"{probe.why}; {probe.what_to_do}")
        pytest.skip(f"{probe.why}; {probe.what_to_do}")
    return technique


@pytest.fixture
def namespace() -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("a network namespace of its own needs root")
    with network_namespace():
        yield


@contextlib.contextmanager
def bench_for(technique: Technique, family: int) -> Iterator[Bench]:
    with contextlib.closing(usable(technique)), contextlib.ExitStack() as stack:
        yield Bench(technique, family, stack)


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest) -> int:
    chosen: int = request.param
    with socket.socket(socket.AddressFamily(chosen)) as trial:
        try:
            trial.bind((LOOPBACK[socket.AddressFamily(chosen)], 0))
        except OSError as error:
            pytest.skip(f"no loopback address of this family here: {error}")
    return chosen


@pytest.fixture(params=[ZeroWindow, SocketFilter, NfQueue], ids=lambda kind: kind.name)
def bench(request: pytest.FixtureRequest, family: int) -> Iterator[Bench]:
    if request.param is NfQueue:
        request.getfixturevalue("namespace")
    with bench_for(request.param(), family) as made:
        yield made


@pytest.fixture
def filter_bench(family: int) -> Iterator[Bench]:
    with bench_for(SocketFilter(), family) as made:
        yield made


@pytest.fixture
def queue_bench(namespace: None, family: int) -> Iterator[Bench]:
    with bench_for(NfQueue(), family) as made:
        yield made
