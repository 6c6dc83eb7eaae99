"""A started command and all that it starts: signalled as a service manager does, and ended whatever happens.

This module must not know what the processes are for.
"""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from harness import inheritance
from harness.family import MARK, Family
from harness.guardian import GUARDIAN
from harness.output import Output
from harness.sources import exiting, signalling


class ProcessTree:
    """A started command: its first process leads a group and a session of its own."""

    def __init__(
        self, command: Sequence[str], output: Output, env: Mapping[str, str], cwd: str | Path | None
    ) -> None:
        self._mark = os.urandom(8).hex()
        self.started_at = time.monotonic()
        self.ended_at: float | None = None
        self.ended = threading.Event()
        self._output = output
        GUARDIAN.begin()
        self._process = inheritance.start(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output.write_end,
            stderr=output.write_end,
            env={**env, MARK: self._mark},
            cwd=cwd,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._family = Family(self.pid, self._mark)
        self._waiter = threading.Thread(target=self._wait, name="harness program", daemon=True)
        self._waiter.start()
        GUARDIAN.guard(self.pid, self._mark)

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
        return self._family.members()

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
        self._family.signal(number)

    def end(self, grace: float) -> list[str]:
        """End all processes: TERM, and KILL for those that are left after `grace` seconds, who are named."""
        deadline = time.monotonic() + grace
        self._family.ask_to_end()
        self.ended.wait(grace)  # wakes at once, and the first process is nearly always the last that ends
        left = self._family.end_by(deadline)
        self._waiter.join()
        GUARDIAN.dismiss(self._mark)
        return [f"{name} ignored SIGTERM for {grace:g} s and was killed" for name in left]

    def _wait(self) -> None:
        self._process.wait()
        self.ended_at = time.monotonic()
        self.ended.set()
        self._output.wake()
