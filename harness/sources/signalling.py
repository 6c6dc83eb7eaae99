"""A signal to a process, also to one that is stopped (Linux's /proc and tgkill(2); elsewhere plain kill(2)).

A signal to a process that runs goes to its first thread unless that one blocks it (complete_signal() in the
kernel's signal.c). One that is stopped gets it when it goes on, and then any thread may take it, whichever
wakes first: chance would decide what the program does next. So it is given to the first thread by name, where
the kernel would have chosen that one. This module must not know why anybody is stopped.
"""

import ctypes
import os
from pathlib import Path


def send(pid: int, number: int) -> None:
    """Send a signal to a process.

    Raises:
        ProcessLookupError: there is none any more.

    """
    if not (_is_stopped_and_open_to(pid, number) and _give_to_first_thread(pid, number)):
        os.kill(pid, number)


def _is_stopped_and_open_to(pid: int, number: int) -> bool:
    """Whether it is stopped, and its first thread does not block this signal."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    fields = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    blocked = int(fields["SigBlk"][0], 16)
    return fields["State"][0] == "T" and not blocked >> (number - 1) & 1


def _give_to_first_thread(pid: int, number: int) -> bool:
    """Whether that was possible: not every C library has the call."""
    try:
        return bool(ctypes.CDLL(None).tgkill(pid, pid, number) == 0)
    except AttributeError:
        return False
