"""Sends a signal to the program that listens on a port of this namespace, and says when it has ended.

For tests that shut a server down from another container: it works where the agent shares the server's pid
namespace, and only when the agent was started with --allow-signals. Which program is meant is a port, never a
bare pid: nothing else can be hit. This module must not know HTTP.
"""

import os
import signal
from collections.abc import Iterable

from harness.errors import HarnessError, UsageError
from harness.rows import SocketRow
from harness.states import TcpState

_ALLOWED = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2")


class NotSignalledError(HarnessError):
    """There is nobody to be signalled, or it is not allowed."""


def leader_of(rows: Iterable[SocketRow], port: int) -> int:
    """Return the pid of the program that listens on `port`: of several processes, the parent of the others.

    Raises:
        NotSignalledError: nobody listens there whom we may see.

    """
    import psutil

    listening = [row for row in rows if row.state is TcpState.LISTEN and row.endpoint.local.port == port]
    pids = {row.owner.pid for row in listening if row.owner}
    if not pids:
        raise NotSignalledError(_why_nobody(port, is_listening=bool(listening)))
    return next(pid for pid in sorted(pids) if psutil.Process(pid).ppid() not in pids)


def send_signal(pid: int, name: str) -> None:
    """Send a signal, by its name.

    Raises:
        UsageError: it is none of those that end a program or that programs reload at.
        NotSignalledError: the process has ended, or is not ours.

    """
    if name not in _ALLOWED:
        raise UsageError(f"expected a signal ({', '.join(_ALLOWED)}), found {name!r}")
    try:
        os.kill(pid, signal.Signals[name])
    except ProcessLookupError as error:
        raise NotSignalledError(f"process {pid} has ended already") from error
    except PermissionError as error:
        raise NotSignalledError(
            f"process {pid} belongs to another user; run the agent as that user (compose: user:)"
        ) from error


def is_alive(pid: int) -> bool:
    """Whether the process has not ended yet."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _why_nobody(port: int, *, is_listening: bool) -> str:
    if is_listening:
        return (
            f"expected to see who listens on port {port}, found a process that is hidden from the agent; "
            "give both one pid namespace and one user (compose: pid: service:..., user:)"
        )
    return f"expected a program that listens on port {port}, found none in the agent's network namespace"
