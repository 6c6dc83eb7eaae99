"""Where this process is: on which host, in which network namespace, and what its clocks say.

Two processes with the same `host` have the same kernel and, outside time namespaces, the same monotonic
clock; with the same `namespace` too they see the same socket table. What follows from that is for others.
"""

import platform
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """`host` is the kernel's boot id, `namespace` the id of the network namespace; "" where unknown."""

    name: str
    host: str
    namespace: str


def whereabouts() -> Whereabouts:
    """Say where we are."""
    return Whereabouts(platform.node(), _boot_id(), _network_namespace())


def clocks() -> dict[str, float]:
    """The monotonic clock and the wall clock, read one after the other."""
    return {"monotonic": time.monotonic(), "wall": time.time()}


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux: there are no containers whose clock could be shared either
        return ""


def _network_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/net").stat().st_ino)
    except OSError:
        return ""
