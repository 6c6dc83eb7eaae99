"""Client, proxy and server in a network namespace each; the test, in a fourth, sees them by agents."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.connections import needs_linux, needs_root
from tests.namespaces.network import Network, network

pytestmark = [needs_linux, needs_root]

SERVER = """
import signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
listener = socket.create_server(("0.0.0.0", 8000))
print("listening", flush=True)
sock = listener.accept()[0]
sock.sendall(sock.recv(100))
sock.recv(100)
"""

CLIENT = """
import socket, sys, time
print("trying", flush=True)
while True:
    try:
        with socket.create_connection((sys.argv[1], 9000)) as sock:
            sock.sendall(b"GET")
            while sock.recv(100):
                pass
        break
    except OSError:
        time.sleep(0.05)
time.sleep(600)
"""

# What compose.yaml runs, without a change: the server is not started again here, so the first test of it.
EXAMPLE = Path(__file__).parents[1] / "compose" / "example" / "test_shutdown.py"
CHOSEN = "test_the_server_is_shut_down_while_its_fin_is_held"

FINPROXY = (sys.executable, "-m", "finproxy")


def run_test(net: Network, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the example in the namespace `tests`, as compose.yaml's service of that name does."""
    at = net.addresses
    shutil.copy(EXAMPLE, folder)
    options = [
        f"--finproxy-url=http://{at['proxy']}:8474",
        *(f"--finproxy-agent={at[name]}=http://{at[name]}:8475" for name in ("client", "server")),
        f"--finproxy-server={at['server']}:8000",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(
        net.inside("tests", *command, f"{EXAMPLE.name}::{CHOSEN}"),
        cwd=folder,
        env={**os.environ, "REPORT": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_a_server_is_shut_down_in_mid_session(tmp_path: Path) -> None:
    if not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        pytest.skip("needs unshare, nsenter and ip")
    with network("tests", "client", "proxy", "server") as net:
        at = net.addresses
        net.start("proxy", *FINPROXY, "serve", "--host", at["proxy"], until="API:")
        net.start("server", sys.executable, "-c", SERVER, until="listening")
        net.start("server", *FINPROXY, "agent", f"{at['server']}:8475", "--allow-signals", until="agent:")
        net.start("client", *FINPROXY, "agent", f"{at['client']}:8475", until="agent:")
        net.start("client", sys.executable, "-c", CLIENT, at["proxy"], until="trying")
        done = run_test(net, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    ladder = (tmp_path / "shutdown.txt").read_text()
    for seen in ("ESTABLISHED", "FIN-WAIT-2", "TIME-WAIT", "CLOSED", at["client"], at["server"]):
        assert seen in ladder
