"""What the wire tests see and do at the operating system: TCP states by 4-tuple, and network namespaces."""

import contextlib
import ctypes
import ipaddress
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import trio

from finproxy.wire.tcp_info import TCP_INFO, KernelState

CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_TABLES = {socket.AF_INET: "tcp", socket.AF_INET6: "tcp6"}

Addresses = tuple[tuple[str, int], tuple[str, int]]


def wait_until(holds: Callable[[], bool], within: float = 10.0) -> None:
    """Wait for a state, not for a time: `within` (seconds) only bounds a failing test."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "the awaited state did not come"
        time.sleep(0.001)


def addresses(sock: socket.socket) -> Addresses:
    """Return local and remote address, to look the socket up with after its fd is gone."""
    return sock.getsockname()[:2], sock.getpeername()[:2]


def table_state(family: int, pair: Addresses) -> KernelState | None:
    """Return the state of the row with these local and remote addresses, orphans included; None: no row."""
    wanted = [_spelled(address) for address in pair]
    for line in Path(f"/proc/net/{_TABLES[socket.AddressFamily(family)]}").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == wanted:
            return KernelState(int(fields[3], 16))
    return None


def outlast_retries(sock: socket.socket, count: int = 2) -> None:
    """Wait until this socket has sent something `count` more times: retransmissions, or window probes."""
    begun = _segments_sent(sock)
    wait_until(lambda: _segments_sent(sock) >= begun + count)


@contextlib.contextmanager
def network_namespace() -> Iterator[None]:
    """Give this thread a network of its own: rules, ports and knobs of the host stay as they are."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _checked(_LIBC.unshare(CLONE_NEWNET))
        _let_idle_threads(_enter_that_of, threading.get_native_id())
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        _enter(home)
        _let_idle_threads(_enter, home)
        os.close(home)


def _let_idle_threads(move: Callable[[int], None], where: int) -> None:
    """Let Trio's idle threads come along: else what they do, and what they start, is done elsewhere."""
    idle = sum(thread.name.startswith("Trio thread") for thread in threading.enumerate())
    all_busy = threading.Barrier(idle + 1)  # until then, none takes a second turn in the place of another

    def come() -> None:
        move(where)
        all_busy.wait(10)

    for _ in range(idle):
        trio.lowlevel.start_thread_soon(come, lambda _outcome: None)
    all_busy.wait(10)


def _enter_that_of(thread: int) -> None:
    namespace = os.open(f"/proc/self/task/{thread}/ns/net", os.O_RDONLY)
    try:
        _enter(namespace)
    finally:
        os.close(namespace)


def _enter(namespace: int) -> None:
    _checked(_LIBC.setns(namespace, CLONE_NEWNET))


def _segments_sent(sock: socket.socket) -> int:
    info = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 256)
    return int(struct.unpack_from("=I", info, 136)[0])  # tcpi_segs_out


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _spelled(address: tuple[str, int]) -> str:
    """Spell as /proc/net/tcp does: each 32-bit word of the address in the machine's byte order."""
    packed = ipaddress.ip_address(address[0]).packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{address[1]:04X}"
