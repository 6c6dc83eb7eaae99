"""Client, proxy and server in a network namespace each; the test, in a fourth, sees them by agents."""

from __future__ import annotations

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

TEST = """
def test_it(launch, fin_proxy):
    app = launch("server")
    session = fin_proxy(app, "server.fin -> hold", listen=9000).session
    session.client.wait_for("ESTABLISHED")
    app.terminate()
    session.wait_for("fin.held", "server")
    session.server.wait_for("FIN-WAIT-2")
    assert session.client.state == "ESTABLISHED"
    app.exits(within=10)
    session.release("server")
    session.server.wait_for("TIME-WAIT")
    session.closed()
    session.server.check("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT")
    session.client.check("ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED")
    print(session.draw())
"""

FINPROXY = (sys.executable, "-m", "finproxy")


def run_test(net: Network, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the test above in the namespace `tests`, as compose.yaml's service of that name does."""
    at = net.addresses
    (folder / "test_it.py").write_text(TEST)
    options = [
        f"--finproxy-url=http://{at['proxy']}:8474",
        *(f"--finproxy-agent={at[name]}=http://{at[name]}:8475" for name in ("client", "server")),
        f"--finproxy-server={at['server']}:8000",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-rP", "-p", "no:cacheprovider", *options, "test_it.py"]
    return subprocess.run(
        net.inside("tests", *command), cwd=folder, capture_output=True, text=True, timeout=120, check=False
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
    for seen in ("ESTABLISHED", "FIN-WAIT-2", "TIME-WAIT", "CLOSED", at["client"], at["server"]):
        assert seen in done.stdout
