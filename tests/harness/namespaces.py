"""A connection inside a network namespace of its own, held by a process that lives there."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from harness import Endpoint

# Says its addresses, then half-closes when it is told to, then waits for the end of its input.
_PROGRAM = """
import json, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
with socket.create_server(("127.0.0.1", 0)) as listener:
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
print(json.dumps([client.getsockname(), client.getpeername()]), flush=True)
if sys.stdin.readline():
    client.shutdown(socket.SHUT_WR)
sys.stdin.read()
"""


@dataclass
class Namespace:
    """`pid` lives in the namespace; `endpoint` is the client's end of the connection there."""

    process: "subprocess.Popen[str]"
    endpoint: Endpoint

    @property
    def pid(self) -> int:
        return self.process.pid

    def shut_down_client(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def connection_elsewhere() -> Iterator[Namespace]:
    """Make the namespace and the connection; both vanish with the process."""
    for program in ("unshare", "ip"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    # exec: the process we know by its id is the one that holds the sockets.
    process = subprocess.Popen(
        ["unshare", "--net", "--", sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        line = process.stdout.readline()
        if not line:
            pytest.skip("this machine does not let us make network namespaces")
        near, far = (tuple(address) for address in json.loads(line))
        try:
            yield Namespace(process, Endpoint.of((near, far)))
        finally:
            process.kill()
