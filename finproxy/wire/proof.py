"""The proof that a technique works here: one real FIN on loopback, kept out and let in.

Role: what every `Technique.probe` shares. It must not know how the technique works, and it believes the
kernel's state of the peer's own socket rather than what the technique says. It blocks, so it is for start-up
and `finproxy doctor`, not for a running session.
"""

import contextlib
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from finproxy.wire.tcp_info import KernelState, state
from finproxy.wire.technique import Probe, Sight, WireError

if TYPE_CHECKING:
    from finproxy.wire.technique import Technique, WireHold

_PENDING = 256 * 1024
"""Bytes: far more than the window of a leg that `prepare` made small."""
_WITHIN = 1.0
"""Seconds for one state to come. A first retransmission comes after 0.2 to 0.3 s, even on loopback."""
_HELD = {Sight.KEPT_OUT, Sight.WINDOW_SHUT}


def prove(technique: "Technique") -> Probe:
    """Hold one FIN of a loopback peer and release it; say what was observed. Never raises."""
    if not sys.platform.startswith("linux"):
        return Probe(ok=False, why=f"expected Linux, found {sys.platform}", what_to_do="run it on Linux")
    try:
        with contextlib.ExitStack() as stack:
            return _hold_and_release(technique, stack)
    except WireError as error:
        return Probe(ok=False, why=error.found, what_to_do=error.what_to_do)
    except OSError as error:
        why = f"expected a loopback connection on 127.0.0.1, found {error}"
        return Probe(ok=False, why=why, what_to_do="bring the interface up: ip link set lo up")


def _hold_and_release(technique: "Technique", stack: contextlib.ExitStack) -> Probe:
    peer, leg, hold = _held_leg(technique, stack)
    peer.shutdown(socket.SHUT_WR)
    # The peer's state alone proves nothing: an accepted FIN may be acknowledged as much as 40 ms later.
    _becomes(lambda: hold.look() in _HELD or state(leg) is not KernelState.ESTABLISHED)
    if not _is_held(peer, leg):
        found = f"{state(peer)} and {state(leg)} ({hold.look().value})"
        return _failed(f"expected the peer in FIN-WAIT-1 and the leg in ESTABLISHED, found {found}")
    hold.release()
    began = time.monotonic()
    if not _becomes(lambda: _drained(leg) and state(peer) is not KernelState.FIN_WAIT_1):
        return _failed(f"expected the peer to leave FIN-WAIT-1 after release, found {hold.look().value}")
    took = (time.monotonic() - began) * 1000
    return Probe(ok=True, why=f"kept one FIN out; {took:.1f} ms after release the peer left FIN-WAIT-1")


def _held_leg(
    technique: "Technique", stack: contextlib.ExitStack
) -> tuple[socket.socket, socket.socket, "WireHold"]:
    listener = stack.enter_context(socket.socket())
    technique.prepare(listener)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    peer = stack.enter_context(socket.create_connection(listener.getsockname()))
    leg = stack.enter_context(listener.accept()[0])
    leg.setblocking(False)
    hold = technique.hold(leg)
    stack.callback(hold.close)
    if technique.abilities.stops_reading:
        _fill(peer)
    return peer, leg, hold


def _is_held(peer: socket.socket, leg: socket.socket) -> bool:
    return (state(peer), state(leg)) == (KernelState.FIN_WAIT_1, KernelState.ESTABLISHED)


def _failed(why: str) -> Probe:
    return Probe(ok=False, why=why, what_to_do="choose another technique: this kernel does not serve it")


def _fill(peer: socket.socket) -> None:
    peer.setblocking(False)
    with contextlib.suppress(BlockingIOError):  # as much as the kernel takes is enough
        peer.send(bytes(_PENDING))


def _drained(leg: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        while leg.recv(65536):
            pass
    return True


def _becomes(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _WITHIN
    while not (now := holds()) and time.monotonic() < deadline:
        time.sleep(0.001)
    return now
