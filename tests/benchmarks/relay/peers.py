"""The relays that are compared: how each is started on this machine, and which are not here.

This module must not know what is measured.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_HAPROXY = """
global
  nbthread 1
  maxconn 8000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen relay
  bind 127.0.0.1:{port}
  server upstream 127.0.0.1:{upstream}
"""
_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
events {{ worker_connections 16000; }}
stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{upstream}; tcp_nodelay on; }} }}
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """One relay: what it is called, and the command that puts it before a port."""

    name: str
    program: str
    command: Callable[[int, int, Path], list[str]]
    """Given the port to listen on, the upstream's port and a folder for its files."""
    forks: bool = False


def _haproxy(port: int, upstream: int, folder: Path) -> list[str]:
    config = folder / "haproxy.cfg"
    config.write_text(_HAPROXY.format(port=port, upstream=upstream))
    return ["haproxy", "-db", "-f", str(config)]


def _nginx(port: int, upstream: int, folder: Path) -> list[str]:
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(port=port, upstream=upstream, folder=folder))
    return ["nginx", "-p", str(folder), "-c", str(config)]


def _socat(port: int, upstream: int, _folder: Path) -> list[str]:
    listen = f"TCP-LISTEN:{port},fork,reuseaddr,nodelay,backlog=1024,bind=127.0.0.1"
    return ["socat", "-t10", listen, f"TCP:127.0.0.1:{upstream},nodelay"]


def _toxiproxy(port: int, upstream: int, folder: Path) -> list[str]:
    config = folder / "toxiproxy.json"
    config.write_text(
        f'[{{"name": "relay", "listen": "127.0.0.1:{port}", "upstream": "127.0.0.1:{upstream}"}}]'
    )
    return [os.environ["TOXIPROXY_SERVER"], "-port", str(_free_port()), "-config", str(config)]


def _finproxy(*options: str) -> Callable[[int, int, Path], list[str]]:
    def command(port: int, upstream: int, _folder: Path) -> list[str]:
        run = [sys.executable, "-m", "finproxy", "run", str(port), f"127.0.0.1:{upstream}"]
        return [*run, "--quiet", "--grace", "0s", *options]

    return command


FINPROXY = Peer("finproxy", sys.executable, _finproxy())
WITH_A_RULE = Peer("finproxy, one rule", sys.executable, _finproxy("--rule", "client.after 1h -> reset"))
OTHERS = (
    Peer("haproxy (1 thread)", "haproxy", _haproxy),
    Peer("nginx stream (1 worker)", "nginx", _nginx),
    Peer("socat", "socat", _socat, forks=True),
    Peer("toxiproxy", os.environ.get("TOXIPROXY_SERVER", "toxiproxy-server"), _toxiproxy),
)


def present() -> list[Peer]:
    """The relays that this machine has, finproxy first; says which are missing."""
    here = [peer for peer in OTHERS if shutil.which(peer.program) and _usable(peer)]
    for peer in OTHERS:
        if peer not in here:
            print(f"not here: {peer.name}", file=sys.stderr)
    return [FINPROXY, WITH_A_RULE, *here]


def _usable(peer: Peer) -> bool:
    if peer.program == "nginx":
        return Path("/usr/lib/nginx/modules/ngx_stream_module.so").exists()
    return peer.name != "toxiproxy" or "TOXIPROXY_SERVER" in os.environ


@contextmanager
def running(peer: Peer, upstream: int) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A peer before a port, for the length of a block: its own port, and its process."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = peer.command(port, upstream, Path(folder))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_until_it_accepts(port)
            yield port, process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_it_accepts(port: int) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
