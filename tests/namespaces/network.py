"""A network of namespaces on this machine: what containers on one bridge are, without an engine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

_HOLD = "ip link set lo up && echo ready && exec sleep infinity"


class Network:
    """Namespaces by name, each with an address on one bridge; the first one holds the bridge.

    Raises:
        OSError: this machine lets us make none.

    """

    def __init__(self, names: Sequence[str], stack: ExitStack) -> None:
        self._stack = stack
        self._pids = {name: self._hold() for name in names}
        self.addresses = {name: f"10.77.0.{number}" for number, name in enumerate(names, 1)}
        self._hub, *others = names
        self._ip(self._hub, "link add bridge type bridge")
        self._ip(self._hub, "link set bridge up")
        self._ip(self._hub, f"addr add {self.addresses[self._hub]}/24 dev bridge")
        for name in others:
            self._plug_in(name)

    def start(self, name: str, *command: str, until: str) -> subprocess.Popen[str]:
        """Start a command in a namespace, and wait until it says so on either stream."""
        process = self._keep(
            subprocess.Popen(
                self.inside(name, *command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        )
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if until in line:
                return process
        raise AssertionError(f"{command} ended before it said {until!r}: {said}")

    def inside(self, name: str, *command: str) -> list[str]:
        """The command that runs `command` in a namespace."""
        return ["nsenter", "--net", "--target", str(self._pids[name]), "--", *command]

    def _hold(self) -> int:
        process = self._keep(
            subprocess.Popen(["unshare", "--net", "sh", "-c", _HOLD], stdout=subprocess.PIPE, text=True)
        )
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise OSError("expected to make a network namespace, found that this machine does not let us")
        return process.pid

    def _keep(self, process: subprocess.Popen[str]) -> subprocess.Popen[str]:
        self._stack.enter_context(process)
        self._stack.callback(process.kill)
        return process

    def _plug_in(self, name: str) -> None:
        self._ip(self._hub, f"link add {name} type veth peer name eth0 netns {self._pids[name]}")
        self._ip(self._hub, f"link set {name} master bridge up")
        self._ip(name, f"addr add {self.addresses[name]}/24 dev eth0")
        self._ip(name, "link set eth0 up")

    def _ip(self, name: str, command: str) -> None:
        done = subprocess.run(
            self.inside(name, "ip", *command.split()), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise OSError(f"ip {command} in {name}: {done.stderr}")


@contextmanager
def network(*names: str) -> Iterator[Network]:
    """Give a network; it and all that was started in it vanish with the block."""
    with ExitStack() as stack:
        yield Network(names, stack)
