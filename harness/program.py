"""A program under test: started, ready, signalled, watched while it exits, and ended whatever happened.

    with Program("uvicorn myapp:app --port {port}") as app:
        ...  # clients connect to app.address
        app.terminate()
        assert app.exits(within=5).code == 0
        app.assert_no_leaks()

This module must not know any test framework, nor the proxy.
"""

import re
import shlex
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

from harness.errors import CheckFailedError, HarnessError
from harness.holdings import all_sockets, described
from harness.output import Output, wait_until
from harness.ports import ReservedPort
from harness.rows import Endpoint, SocketRow
from harness.starting import StartError, is_ready, shortened, split_command, start, why_not_ready
from harness.states import TcpState

Ready = str | re.Pattern[str] | Callable[["Program"], bool]
"""When a program is ready: once it has printed this pattern, or once this answers True."""

_SETTLES_WITHIN = 2.0


class StillRunningError(CheckFailedError):
    """A program did not exit in time; says which sockets it holds and what it printed last."""


class LeakError(CheckFailedError):
    """A program has left sockets behind; lists them with their states and owners."""


class Exit(NamedTuple):
    """How a program ended: its exit code (negative for a signal), and seconds since the last signal to it."""

    code: int
    seconds: float


class Program:
    """A program under test, running from construction until `stop`, or as long as a `with` block.

    Args:
        command: the arguments, or one text that is split like a shell would, without a shell. ``{port}`` is
            replaced by a free port.
        ready: a pattern that it prints, or a callable that is asked until it says True. Without it the
            program is ready when it accepts connections on its port, or at once if it has none.
        within: seconds that it may take to get ready.
        port: the port that it will listen on, if the command does not leave the choice to us.
        env: variables to add to the environment.
        cwd: the directory to run in.
        grace: seconds between SIGTERM and SIGKILL when it is ended.

    Raises:
        StartError: it could not be started, ended at once, or did not get ready.

    """

    def __init__(
        self,
        *command: str,
        ready: Ready | None = None,
        within: float = 30.0,
        port: int | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        grace: float = 5.0,
    ) -> None:
        self._again = partial(Program, *command, ready=ready, within=within, env=env, cwd=cwd, grace=grace)
        self._grace = grace
        arguments = split_command(command)
        asks_for_port = port is None and any("{port}" in argument for argument in arguments)
        self._reserved = ReservedPort() if asks_for_port else None
        self.port = self._reserved.number if self._reserved else port
        """The port that it listens on; None if it listens on none that we know."""
        self.command = [argument.replace("{port}", str(self.port)) for argument in arguments]
        self.notes: list[str] = []
        """What had to be done to end it, if it did not end as asked."""
        self._signalled_at: float | None = None
        self._output = Output()
        try:
            self._tree = start(self.command, self._output, env or {}, cwd)
            self._await_ready(ready, within)
        except BaseException:
            self.stop()
            raise

    # --- what it is -------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        """Where clients connect to.

        Raises:
            HarnessError: it has no port.

        """
        if self.port is None:
            raise HarnessError(
                f"expected a program with a port, found {self}; write {{port}} in its command, or give port="
            )
        return "127.0.0.1", self.port

    @property
    def has_fixed_port(self) -> bool:
        """Whether a second one cannot run beside it, because the command did not leave the port to us."""
        return self.port is not None and self._reserved is None

    @property
    def pid(self) -> int:
        """The id of its first process."""
        return self._tree.pid

    @property
    def pids(self) -> list[int]:
        """The ids of all its processes that are alive."""
        return [process.pid for process in self._tree.members()]

    @property
    def output(self) -> str:
        """What it has printed so far, on either stream, in order; the tail if it was much."""
        self._output.complete()
        return self._output.text

    @property
    def ended(self) -> threading.Event:
        """Set once its first process has ended: for waiting with others."""
        return self._tree.ended

    @property
    def statuses(self) -> dict[int, str]:
        """In which state each of its processes is, as psutil names them: sleeping, running, stopped, ..."""
        return self._tree.statuses()

    @property
    def is_running(self) -> bool:
        """Whether its first process is alive."""
        return self._tree.code is None

    @property
    def is_ending(self) -> bool:
        """Whether its first process has exited or is about to: true from before its sockets are closed."""
        return self._tree.is_ending

    @property
    def code(self) -> int | None:
        """The exit code of its first process, negative for a signal; None while it runs."""
        return self._tree.code

    def last_lines(self, count: int = 20) -> str:
        """The last lines that it has printed."""
        self._output.complete()
        return self._output.last_lines(count)

    def condition(self) -> str:
        """Command, process, sockets and last lines: what a failure shows of a program."""
        state = "running" if self.is_running else f"exited with code {self._tree.code}"
        blocks = {
            f"process {self.pid}: {state}; its sockets:": [described(row) for row in self.sockets()],
            "its last lines:": self.last_lines().splitlines(),
        }
        lines = [f"  command: {shlex.join(self.command)}"]
        for title, content in blocks.items():
            lines += [f"  {title}", *(f"    {line}" for line in content or ["none"])]
        return "\n".join(lines)

    def __str__(self) -> str:
        return shortened(self.command)

    # --- what is done with it ---------------------------------------------------------------------

    def connect(self, timeout: float = 10.0) -> socket.socket:
        """Connect to it, without a proxy."""
        return socket.create_connection(self.address, timeout)

    def signal(self, number: int) -> None:
        """Send a signal to its first process; `exits` counts its seconds from here.

        Raises:
            CheckFailedError: it has ended already, so that its exit would be no answer to the signal.

        """
        if not self.is_running:
            raise CheckFailedError(
                f"expected {self} to run when it is signalled, found that it exited with code {self.code}; "
                f"if it goes to the background, keep it in the foreground\n{self.condition()}"
            )
        self._signalled_at = time.monotonic()
        self._tree.signal(number)

    def signal_all(self, number: int) -> None:
        """Send a signal to each of its processes, as a terminal does."""
        self._signalled_at = time.monotonic()
        self._tree.signal_all(number)

    def terminate(self) -> None:
        """Ask it to shut down: SIGTERM to its first process. Raises like `signal`."""
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill all its processes with SIGKILL, and wait until they are gone."""
        self._signalled_at = time.monotonic()
        self._tree.signal_all(signal.SIGKILL)
        self._tree.ended.wait()

    def says(self, pattern: str | re.Pattern[str], *, within: float = 10.0) -> str:
        """Wait until its output matches; the whole output.

        Raises:
            CheckFailedError: it did not print such a thing in time, or ended before.

        """
        if self._output.wait_for(pattern, self._tree.ended.is_set, within) or re.search(pattern, self.output):
            return self.output
        raise CheckFailedError(
            f"expected {self} to print {pattern!r} within {within:g} s\n{self.condition()}"
        )

    def exits(self, *, within: float) -> Exit:
        """Wait until its first process has ended.

        Raises:
            StillRunningError: it has not within so many seconds; says which sockets it holds.

        """
        if not self._tree.ended.wait(within):
            raise StillRunningError(f"expected {self} to exit within {within:g} s\n{self.condition()}")
        began = self._signalled_at or self._tree.started_at
        return Exit(self._tree.code or 0, max(0.0, (self._tree.ended_at or began) - began))

    def again(self, *, same_port: bool = False) -> "Program":
        """Start the same command anew, on another port unless `same_port`."""
        fixed = None if self._reserved else self.port
        return self._again(port=self.port if same_port else fixed)

    def stop(self) -> list[str]:
        """End all its processes: TERM, then KILL. Says what had to be killed. May be called twice."""
        if tree := getattr(self, "_tree", None):
            self.notes += [f"{self}: {note}" for note in tree.end(self._grace)]
        self._output.close()
        if self._reserved:
            self._reserved.close()
        return self.notes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    # --- its sockets ------------------------------------------------------------------------------

    def sockets(self) -> list[SocketRow]:
        """Its TCP sockets with their states and owners; once it has ended, what it left on its port."""
        mine = set(self.pids)
        rows = all_sockets(time_wait=False)
        held = [row for row in rows if (row.owner and row.owner.pid in mine) or self._is_on_port(row)]
        return [*held, *self._in_time_wait(frozenset(row.endpoint for row in held))]

    def assert_no_leaks(self, *, within: float = _SETTLES_WITHIN) -> None:
        """Fail unless, within so many seconds, it holds no socket that somebody forgot.

        Raises:
            LeakError: lists them with their states and owners.

        """
        from harness.leaking import why_leaked

        def leaked() -> list[str]:
            stuck = ((row, why_leaked(row)) for row in self.sockets())
            return [f"{described(row)}: {why}" for row, why in stuck if why]

        if not wait_until(lambda: not leaked(), within):
            raise LeakError("\n".join([f"{self} leaks:", *leaked()]))

    # --- in here ----------------------------------------------------------------------------------

    def _in_time_wait(self, besides: frozenset[Endpoint]) -> list[SocketRow]:
        """What it has left in TIME-WAIT, which only its port tells; `besides` what was seen to be there."""
        if self.port is None:
            return []
        rows = all_sockets(frozenset({self.port}))
        return [
            row
            for row in rows
            if row.state is TcpState.TIME_WAIT and self._is_on_port(row) and row.endpoint not in besides
        ]

    def _is_on_port(self, row: SocketRow) -> bool:
        """Whether it is a socket of this program by its port alone: an orphan, or a process that we lost."""
        return self.port is not None and row.endpoint.local.port == self.port

    def _await_ready(self, ready: Ready | None, within: float) -> None:
        probe = partial(ready, self) if callable(ready) else ready
        if not is_ready(self._tree, self._output, self.port, probe, within):
            raise StartError(f"{why_not_ready(self._tree, within)}\n{self.condition()}")
