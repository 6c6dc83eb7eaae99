"""Toxiproxy's Node client, unchanged, against ``finproxy serve``; its toxics do what they say."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from ..support.programs import need
from ..support.served import Served, connect, echo_server, read_all, serving

Script: TypeAlias = Callable[[str], Any]
"""Runs JavaScript in which `toxiproxy` is the client, and returns what it returns."""

_PACKAGE = "toxiproxy-node-client@4"
_AROUND = """
const { Toxiproxy } = require("toxiproxy-node-client");
(async (toxiproxy) => { %s })(new Toxiproxy(process.argv[1])).then(
  (value) => console.log(JSON.stringify(value ?? null)),
);
"""


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which Node finds the client: no part of this machine, so it is installed here."""
    need("node", "npm")
    folder = tmp_path_factory.mktemp("node")
    command = ["npm", "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run([*command, _PACKAGE], capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("not installed: toxiproxy-node-client; npm did not end")
    if done.returncode != 0:
        pytest.skip(f"not installed: toxiproxy-node-client; npm said: {done.stderr[-500:]}")
    return folder / "node_modules"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture
def node(modules: Path, server: Served) -> Iterator[Script]:
    def script(text: str) -> Any:
        done = subprocess.run(
            ["node", "-e", _AROUND % text, server.url],
            env={**os.environ, "NODE_PATH": str(modules)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    yield script
    server.delete_all()


@pytest.fixture
def echo(node: Script) -> Iterator[str]:
    """Where the proxy `echo` listens."""
    with echo_server() as upstream:
        body = json.dumps({"name": "echo", "listen": "127.0.0.1:0", "upstream": upstream})
        listen: str = node(f"return (await toxiproxy.createProxy({body})).listen")
        yield listen


def test_the_client_s_journey(node: Script, echo: str) -> None:
    steps = node(
        """
        const seen = [JSON.parse(await toxiproxy.getVersion()).version];
        const proxy = await toxiproxy.get("echo");
        seen.push(proxy.toJson());
        seen.push((await proxy.update({ ...proxy.toJson(), enabled: false })).enabled);
        const again = { name: "echo", listen: "127.0.0.1:0", upstream: "127.0.0.1:9" };
        seen.push(await toxiproxy.createProxy(again).catch((error) => error.message));
        await toxiproxy.reset();
        seen.push((await toxiproxy.get("echo")).enabled);
        await toxiproxy.populate([{ name: "other", listen: "127.0.0.1:0", upstream: "127.0.0.1:9" }]);
        seen.push(Object.keys(await toxiproxy.getAll()));
        await (await toxiproxy.get("other")).remove();
        seen.push(Object.keys(await toxiproxy.getAll()));
        return seen;
        """
    )

    version, shown, *rest = steps
    assert version == "2.12.0"
    assert (shown["name"], shown["listen"], shown["enabled"]) == ("echo", echo, True)
    assert rest == [False, "Request failed with status code 409", True, ["echo", "other"], ["echo"]]


def test_a_toxic_is_added_changed_and_removed(node: Script, echo: str) -> None:
    toxics = node(
        """
        const proxy = await toxiproxy.get("echo");
        const attributes = { latency: 9 };
        const body = { name: "", type: "latency", stream: "downstream", toxicity: 1, attributes };
        const toxic = await proxy.addToxic(body);
        const changed = await toxic.update({ ...toxic.toJson(), attributes: { jitter: 2 } });
        await changed.remove();
        const gone = await proxy.getToxic(toxic.name).catch((error) => error.message);
        return [toxic.toJson(), changed.attributes, gone];
        """
    )

    added, changed, gone = toxics
    assert (added["name"], added["attributes"]) == ("latency_downstream", {"latency": 9, "jitter": 0})
    assert changed == {"latency": 9, "jitter": 2}
    assert gone == "Request failed with status code 404"


def add(node: Script, kind: str, **attributes: Any) -> None:
    body = {"name": "", "type": kind, "stream": "downstream", "toxicity": 1, "attributes": attributes}
    node(f'await (await toxiproxy.get("echo")).addToxic({json.dumps(body)})')


def test_latency_delays(node: Script, echo: str) -> None:
    add(node, "latency", latency=100)
    with connect(echo) as client:
        started = time.monotonic()
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        assert time.monotonic() - started >= 0.1


def test_limit_data_passes_exactly_so_much(node: Script, echo: str) -> None:
    add(node, "limit_data", bytes=1000)
    with connect(echo) as client:
        client.sendall(bytes(5000))
        assert len(read_all(client)) == 1000


def test_reset_peer_resets_a_session_that_is_open(node: Script, echo: str) -> None:
    with connect(echo) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        add(node, "reset_peer", timeout=0)
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_fin_rule_is_a_toxic(node: Script, echo: str) -> None:
    add(node, "fin", rule="server.fin -> reset")
    with connect(echo) as client:
        client.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
