"""A process and all that it starts: found by group, by a mark in the environment and by descent, ended by id.

The group holds those that stay in it, and the mark finds those that have left it to become daemons. Some do
both, leave and write over their environment (postgres writes its process title there): those are found as
children of others, and remembered, since a parent that dies takes the trace along. This module must not know
what the processes are for.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from harness import inheritance
from harness.output import Output, wait_until
from harness.sources import exiting, signalling

_MARK = "FINPROXY_PROGRAM"
_DIES_WITHIN = 1.0
"""Seconds after which SIGKILL is sent again, to those that were started meanwhile."""


class ProcessTree:
    """A started command: its first process leads a group and a session of its own."""

    def __init__(
        self, command: Sequence[str], output: Output, env: Mapping[str, str], cwd: str | Path | None
    ) -> None:
        self._mark = os.urandom(8).hex()
        self.started_at = time.monotonic()
        self.ended_at: float | None = None
        self.ended = threading.Event()
        self._seen: set[psutil.Process] = set()
        self._output = output
        self._process = inheritance.start(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output.write_end,
            stderr=output.write_end,
            env={**env, _MARK: self._mark},
            cwd=cwd,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._waiter = threading.Thread(target=self._wait, name="harness program", daemon=True)
        self._waiter.start()

    @property
    def code(self) -> int | None:
        """The exit code of the first process, negative for a signal; None while it runs."""
        return self._process.returncode if self.ended.is_set() else None

    @property
    def is_ending(self) -> bool:
        """Whether the first process has ended or is about to: true from before its sockets are closed."""
        return self.ended.is_set() or exiting.is_exiting(self.pid)

    def members(self) -> list[psutil.Process]:
        """All processes of it that are alive, the first one included."""
        parents = _living()
        found = {process for process in parents if process in self._seen or self._is_marked(process)}
        while children := _children(found, parents):
            found |= children
        self._seen |= found
        return sorted(found, key=lambda process: process.pid)

    def statuses(self) -> dict[int, str]:
        """In which state each of its processes is, by process id."""
        found = {}
        for process in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                found[process.pid] = str(process.status())
        return found

    def signal(self, number: int) -> None:
        """Send a signal to the first process, as a service manager does."""
        if not self.ended.is_set():
            self.members()  # it may end at once: then nobody could say any more who its children are
            with contextlib.suppress(ProcessLookupError):
                signalling.send(self.pid, number)

    def signal_all(self, number: int) -> None:
        """Send a signal to every process of it."""
        _send(self.members(), number)

    def end(self, grace: float) -> list[str]:
        """End all processes: TERM, and KILL for those that are left after `grace` seconds, who are named."""
        deadline = time.monotonic() + grace
        self._stop_all()
        for number in (signal.SIGTERM, signal.SIGCONT):  # one that is stopped would not see SIGTERM
            _send(self._seen, number)
        self.ended.wait(grace)  # wakes at once, and the first process is nearly always the last that ends
        self._all_end(deadline)
        left = [_name(process) for process in self.members()]
        # Those that were started meanwhile have to go as well: until nobody is found.
        while members := self.members():
            for process in members:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self._all_end(time.monotonic() + _DIES_WITHIN)
        self._waiter.join()
        return [f"{name} ignored SIGTERM for {grace:g} s and was killed" for name in left]

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
            return os.getpgid(process.pid) == self.pid or process.environ().get(_MARK) == self._mark
        except (psutil.Error, OSError):
            return False  # it has ended, or belongs to somebody else

    def _wait(self) -> None:
        self._process.wait()
        self.ended_at = time.monotonic()
        self.ended.set()
        self._output.wake()


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
