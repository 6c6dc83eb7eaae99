"""All processes of one program: found by group, by a mark in the environment and by descent, ended by id.

The group holds those that stay in it, and the mark finds those that have left it to become daemons. Some do
both, leave and write over their environment (postgres writes its process title there): those are found as
children of others, and remembered, since a parent that dies takes the trace along. This module must not know
who started them, nor what they are for.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable

import psutil

from harness.output import wait_until

MARK = "FINPROXY_PROGRAM"
"""The variable of the environment whose value they share."""

_DIES_WITHIN = 1.0
"""Seconds after which SIGKILL is sent again, to those that were started meanwhile."""


class Family:
    """The processes of a program whose first process has, or had, the id `pid` and leads a group."""

    def __init__(self, pid: int, mark: str) -> None:
        self._pid = pid
        self._mark = mark
        self._seen: set[psutil.Process] = set()

    def members(self) -> list[psutil.Process]:
        """All processes of it that are alive, the first one included."""
        parents = _living()
        found = {process for process in parents if process in self._seen or self._is_marked(process)}
        while children := _children(found, parents):
            found |= children
        self._seen |= found
        return sorted(found, key=lambda process: process.pid)

    def signal(self, number: int) -> None:
        """Send a signal to every process of it."""
        _send(self.members(), number)

    def ask_to_end(self) -> None:
        """Send SIGTERM to all; nobody who is started meanwhile is forgotten."""
        self._stop_all()
        for number in (signal.SIGTERM, signal.SIGCONT):  # one that is stopped would not see SIGTERM
            _send(self._seen, number)

    def end_by(self, deadline: float) -> list[str]:
        """Wait for all to end, and kill those that have not by then (monotonic seconds); who that was."""
        self._all_end(deadline)
        left = [_name(process) for process in self.members()]
        # Those that were started meanwhile have to go as well: until nobody is found.
        while members := self.members():
            for process in members:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self._all_end(time.monotonic() + _DIES_WITHIN)
        return left

    def _stop_all(self) -> None:
        """Stop all processes until nobody is found who could start another one.

        One that is started between being looked for and its parent's death would be lost for good.
        """
        stopped: set[psutil.Process] = set()
        while running := set(self.members()) - stopped:
            _send(running, signal.SIGSTOP)
            stopped |= running

    def _all_end(self, deadline: float) -> None:
        """Wait until all have ended.

        Not until they are gone, as psutil.wait_procs does: an orphan stays a zombie until the system's first
        process reaps it, and in some containers that one never does.
        """
        wait_until(lambda: not self.members(), deadline - time.monotonic())

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            return os.getpgid(process.pid) == self._pid or process.environ().get(MARK) == self._mark
        except (psutil.Error, OSError):
            return False  # it has ended, or belongs to somebody else


def _send(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _living() -> dict[psutil.Process, int]:
    """All processes of the machine but zombies, each with the id of its parent."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error), process.oneshot():
            if process.status() != psutil.STATUS_ZOMBIE:
                found[process] = process.ppid()
    return found


def _children(found: set[psutil.Process], parents: dict[psutil.Process, int]) -> set[psutil.Process]:
    """The children of those that were found, which were not found themselves yet."""
    ids = {process.pid for process in found}
    return {process for process, parent in parents.items() if parent in ids and process not in found}


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return f"{process.name()}[{process.pid}]"
    return f"process {process.pid}"
