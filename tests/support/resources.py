"""What a process holds: descriptors, tasks and memory, to be compared before and after."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio


def sockets_and_epolls() -> list[str]:
    """The open descriptors that are not plain files, as the kernel names them."""
    found = []
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208 - a Path for each would only cost time
        try:
            kind = Path("/proc/self/fd", entry).readlink()
        except FileNotFoundError:
            continue  # the descriptor with which the directory was read
        if not str(kind).startswith("/"):
            found.append(f"{entry} {kind}")
    return sorted(found)


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """The block ends with the descriptors and the tasks with which it began."""
    descriptors, tasks = sockets_and_epolls(), trio.lowlevel.current_statistics().tasks_living
    yield
    left = set(sockets_and_epolls()) - set(descriptors)
    assert not left, f"left open: {sorted(left)}"
    more = trio.lowlevel.current_statistics().tasks_living - tasks
    assert more == 0, f"{more} tasks are still alive"


def peak_memory(pid: int) -> int:
    """The most memory that a process ever had in use, in bytes (VmHWM, proc(5))."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no VmHWM of process {pid}")
