"""Ends programs whose owner has died without ending them: by SIGTERM, which ends pytest at once, or SIGKILL.

A process of its own, started with the first program. It has one end of a pipe; its owner has the other, which
the kernel closes however the owner dies. Until then it only keeps a list, and has imported nothing that takes
time or memory. This file is both its owner's side and, run as a script, the process; it must not know how a
program's processes are found and ended (family.py).
"""

import atexit
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

_GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""


class Guardian:
    """The owner's side. Each message is one short write: threads may tell at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._tells: IO[bytes] | None = None

    def begin(self) -> None:
        """Start the process, unless it is there.

        Raises:
            OSError: it cannot be started.

        """
        with self._lock:
            if self._process is None:
                self._start()

    def guard(self, pid: int, mark: str) -> None:
        """End this family if we die."""
        self._tell(f"+ {mark} {pid}\n")

    def dismiss(self, mark: str) -> None:
        """That family has ended."""
        self._tell(f"- {mark}\n")

    def leave(self) -> None:
        """Let it end whoever is left, and wait for that."""
        process, self._process = self._process, None
        self._hang_up()
        if process is not None:
            process.wait()

    def forget(self) -> None:
        """In a forked child: it is our parent's, and must learn of our parent's death although we live on."""
        self._lock = threading.Lock()  # a thread that is not here may have held it
        self._hang_up()
        if self._process is not None:
            self._process.returncode = 0  # no child of ours that could be waited for
            self._process = None

    def _start(self) -> None:
        heard, tells = os.pipe()
        try:
            # -P: what lies beside this file is not to be imported by its bare name.
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__],
                stdin=heard,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is not meant for it
            )
        except OSError:
            os.close(tells)
            raise
        finally:
            os.close(heard)
        self._tells = os.fdopen(tells, "wb", buffering=0)

    def _tell(self, message: str) -> None:
        if self._tells is not None:
            with contextlib.suppress(BrokenPipeError):  # somebody has killed it: programs are ended as ever
                self._tells.write(message.encode())

    def _hang_up(self) -> None:
        tells, self._tells = self._tells, None
        if tells is not None:
            tells.close()


GUARDIAN = Guardian()
"""The one of this process; it begins with the first program."""

atexit.register(GUARDIAN.leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=GUARDIAN.forget)


# --- the process ----------------------------------------------------------------------------------


def _await_death(messages: Iterable[str]) -> dict[str, int]:
    """Those whom the owner has left behind: marks, and the ids of their first processes."""
    left: dict[str, int] = {}
    for message in messages:
        sign, mark, *pid = message.split()
        if sign == "+":
            left[mark] = int(pid[0])
        else:
            left.pop(mark, None)
    return left


def _end_all(left: dict[str, int]) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from harness.family import Family

    families = [Family(pid, mark) for mark, pid in left.items()]
    for family in families:
        family.ask_to_end()
    deadline = time.monotonic() + _GRACE
    for family in families:
        family.end_by(deadline)


if __name__ == "__main__":
    if left_behind := _await_death(sys.stdin):
        _end_all(left_behind)
