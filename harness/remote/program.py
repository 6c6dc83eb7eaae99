"""A program that runs elsewhere, in the place of one that a test would launch: addressed, signalled, awaited.

Whoever runs it (compose, Kubernetes) starts it, and starts it again once it has ended; an agent beside it
sends signals and knows whether it is alive. This module must not know any test framework.
"""

import signal
import socket
from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.errors import CheckFailedError, HarnessError, UsageError
from harness.output import wait_until
from harness.program import StillRunningError
from harness.remote.asking import Asker, RefusedError
from harness.starting import StartError

_CONNECT_TIMEOUT = 1.0


class RemoteExit(NamedTuple):
    """How a program elsewhere ended: its code is known to its container's engine only."""

    code: None = None


class RemoteProgram:
    """The program that listens at `address`, as far as its agent can show and move it.

    Args:
        command: what would have been launched; for messages.
        address: host and port, as the proxy reaches it.
        agent: asks the agent in the program's network namespace; None if there is none.
        within: seconds that it may take to listen, for it may just have been ended by another test.

    Raises:
        StartError: it did not listen in time.

    """

    def __init__(
        self, command: Sequence[str], address: tuple[str, int], agent: Asker | None, *, within: float = 30.0
    ) -> None:
        self.command = list(command)
        self.address = address
        self.pid: int | None = None
        """Its id in the agent's pid namespace; None without an agent."""
        self._agent = agent
        if not wait_until(self._listens, within):
            raise StartError(f"expected {self} to listen within {within:g} s, found nobody: {self._why}")

    _why = ""

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.address[1]

    @property
    def is_running(self) -> bool:
        """Whether it has not ended: told by its agent."""
        return bool(self._told(f"/v1/processes/{self.pid}")["alive"])

    def __str__(self) -> str:
        return f"the program at {self.address[0]}:{self.port}"

    def connect(self, timeout: float = 10.0) -> socket.socket:
        """Connect to it, without a proxy."""
        return socket.create_connection(self.address, timeout)

    def signal(self, number: int) -> None:
        """Send a signal to its first process.

        Raises:
            RefusedError: its agent was not started with --allow-signals, or may not; says what to do.

        """
        self._told(f"/v1/programs/{self.port}/signal", {"signal": signal.Signals(number).name})

    def terminate(self) -> None:
        """Ask it to shut down: SIGTERM."""
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.signal(signal.SIGKILL)

    def exits(self, *, within: float) -> RemoteExit:
        """Wait until it has ended.

        Raises:
            StillRunningError: it has not within so many seconds; says which sockets it holds.

        """
        if not wait_until(lambda: not self.is_running, within):
            raise StillRunningError(f"expected {self} to exit within {within:g} s\n{self.condition()}")
        return RemoteExit()

    def sockets(self) -> list[dict[str, Any]]:
        """The rows of the table in its namespace with its port, as its agent writes them."""
        rows: list[dict[str, Any]] = self._told(f"/v1/rows?port={self.port}")["rows"]
        return [row for row in rows if row["local"][1] == self.port]

    def assert_no_leaks(self, *, within: float = 2.0) -> None:
        """Fail unless, within so many seconds, no connection of its port is left in CLOSE-WAIT.

        Raises:
            CheckFailedError: lists them.

        """
        if not wait_until(lambda: not self._leaked(), within):
            raise CheckFailedError("\n".join([f"{self} leaks:", *self._leaked()]))

    def condition(self) -> str:
        """Address, process and sockets: what a failure shows of it."""
        try:
            rows = [_described(row) for row in self.sockets()]
        except HarnessError as error:
            rows = [f"not known: {error}"]
        head = f"  {self}, in the place of: {' '.join(self.command)}\n  process {self.pid}; its sockets:"
        return "\n".join([head, *(f"    {row}" for row in rows or ["none"])])

    def stop(self) -> list[str]:
        """Nothing: whoever runs it ends it."""
        return []

    def _leaked(self) -> list[str]:
        return [_described(row) for row in self.sockets() if row["state"] == "CLOSE-WAIT"]

    def _listens(self) -> bool:
        try:
            if self._agent:
                self.pid = int(self._told(f"/v1/programs/{self.port}")["pid"])
            else:
                self.connect(_CONNECT_TIMEOUT).close()
        except (RefusedError, OSError) as error:
            self._why = str(error)
            return False
        return True

    def _told(self, path: str, body: object = None) -> Any:
        if self._agent is None:
            raise UsageError(
                f"expected an agent beside {self}, found none; give pytest one with "
                f"--finproxy-agent {self.address[0]}=http://HOST:8475"
            )
        return self._agent.ask("POST", path, body) if body else self._agent.get(path)


def _described(row: dict[str, Any]) -> str:
    (host, port), (peer, peer_port) = row["local"], row["remote"]
    owner = row.get("owner")
    who = f"{owner['program']}[{owner['pid']}]" if owner else "without owner"
    return f"{host}:{port} > {peer}:{peer_port} {row['state']}, {who}"
