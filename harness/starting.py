"""How a program under test is started: found, given its environment, and waited for until it is ready.

This module must not know what is done with a program that runs.
"""

import contextlib
import os
import re
import shlex
import shutil
import socket
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.errors import HarnessError, SourceUnavailableError
from harness.holdings import listeners
from harness.output import Output, wait_until
from harness.processes import ProcessTree

_CONNECT_TIMEOUT = 1.0


class StartError(HarnessError):
    """A program did not get ready; says the command, the exit code and the last lines."""


def split_command(command: tuple[str, ...]) -> list[str]:
    """The arguments of a command that was given as arguments, or as one text.

    Raises:
        StartError: there is no command.

    """
    arguments = shlex.split(command[0]) if len(command) == 1 else list(command)
    if not arguments:
        raise StartError('expected a command, found none; write launch("program", "argument", ...)')
    return arguments


def shortened(command: Sequence[str]) -> str:
    """A command as one writes it in a shell, or its beginning."""
    return textwrap.shorten(shlex.join(command), 80, placeholder=" ...")


def start(
    command: Sequence[str], output: Output, env: Mapping[str, str], cwd: str | Path | None
) -> ProcessTree:
    """Start it. Programs of the environment that the tests run in come first: it need not be activated.

    Raises:
        StartError: there is no such program, or the system cannot start it.

    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    found = shutil.which(command[0], path=path)
    if found is None:
        raise StartError(
            f"expected a program to start, found none called {command[0]!r}; install it, "
            f"or give its path\n  command: {shortened(command)}"
        )
    full = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **env}
    try:
        return ProcessTree([found, *command[1:]], output, full, cwd)
    except OSError as error:
        raise StartError(
            f"{found} cannot be started: {error.strerror}\n  command: {shortened(command)}"
        ) from error


def is_ready(
    tree: ProcessTree,
    output: Output,
    port: int | None,
    ready: str | re.Pattern[str] | Callable[[], bool] | None,
    within: float,
) -> bool:
    """Wait until it has printed a pattern, a probe says so, or it listens; whether that came in time."""
    if isinstance(ready, str | re.Pattern):
        came = output.wait_for(ready, tree.ended.is_set, within)
    elif ready is not None:
        came = wait_until(ready, within, tree.ended)
    else:
        came = port is None or wait_until(lambda: _listens(tree, port), within, tree.ended)
    # One with a port that has left its work to others cannot be signalled, nor be seen to exit.
    if port is not None and tree.is_ending:
        tree.ended.wait()
        return False
    return came


def why_not_ready(tree: ProcessTree, within: float) -> str:
    """What became of it instead, in words."""
    if tree.code is None:
        return f"it was not ready after {within:g} s"
    if tree.code == 0:
        pids = [process.pid for process in tree.members()]
        left = f", and left the processes {pids} behind" if pids else ""
        return f"it exited with code 0{left}; if it goes to the background, keep it in the foreground"
    return f"it exited with code {tree.code} before it was ready"


def _listens(tree: ProcessTree, port: int) -> bool:
    """Whether its port listens: looked up, since a connection would be the first that it meets."""
    try:
        mine = {process.pid for process in tree.members()}  # somebody else may still listen there
        return any(row.owner is None or row.owner.pid in mine for row in listeners(port))
    except SourceUnavailableError:
        return _can_be_connected_to(port)


def _can_be_connected_to(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), _CONNECT_TIMEOUT).close()
        return True
    return False
