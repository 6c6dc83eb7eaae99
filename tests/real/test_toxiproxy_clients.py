"""Toxiproxy's Python client, unchanged, against ``finproxy serve``; each toxic does what it says."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ..support.served import connect, echo_server, read_all, serving

toxiproxy = pytest.importorskip("toxiproxy", reason="not installed: toxiproxy-python")


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    from toxiproxy.api import APIConsumer

    with serving() as served:
        APIConsumer.host, APIConsumer.port = served.address
        yield toxiproxy.Toxiproxy()


@pytest.fixture
def proxy(server: Any) -> Iterator[Any]:
    with echo_server() as echo:
        yield server.create(upstream=echo, name="echo")
        server.destroy_all()


def test_the_client_s_journey(server: Any, proxy: Any) -> None:
    assert b"2.12.0" in server.version()
    assert server.get_proxy("echo").listen == proxy.listen
    with pytest.raises(toxiproxy.exceptions.ProxyExists):
        server.create(upstream="127.0.0.1:9", name="echo")
    with proxy.down(), pytest.raises(ConnectionRefusedError):
        connect(proxy.listen)
    with connect(proxy.listen) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
    proxy.add_toxic(type="latency", attributes={"latency": 10})
    assert proxy.get_toxic("latency_downstream").attributes == {"latency": 10, "jitter": 0}
    with pytest.raises(toxiproxy.exceptions.InvalidToxic):
        proxy.add_toxic(type="nonsense")
    assert server.reset()
    assert proxy.toxics() == {}
    server.populate([{"name": "other", "upstream": "127.0.0.1:9", "listen": "127.0.0.1:0"}])
    assert set(server.proxies()) == {"echo", "other"}
    server.destroy(server.get_proxy("other"))
    assert server.get_proxy("other") is None


def test_latency_delays(proxy: Any) -> None:
    proxy.add_toxic(type="latency", attributes={"latency": 100})
    with connect(proxy.listen) as client:
        started = time.monotonic()
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        assert time.monotonic() - started >= 0.1


def test_bandwidth_limits(proxy: Any) -> None:
    proxy.add_toxic(type="bandwidth", attributes={"rate": 100})
    with connect(proxy.listen) as client:
        started = time.monotonic()
        client.sendall(bytes(30_000))
        client.shutdown(socket.SHUT_WR)
        assert len(read_all(client)) == 30_000
        assert time.monotonic() - started >= 0.2


def test_slow_close_delays_the_end_and_loses_nothing(proxy: Any) -> None:
    proxy.add_toxic(type="slow_close", attributes={"delay": 150})
    with connect(proxy.listen) as client:
        started = time.monotonic()
        client.sendall(b"all of it")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"all of it"
        assert time.monotonic() - started >= 0.15


def test_timeout_swallows_and_closes(proxy: Any) -> None:
    proxy.add_toxic(type="timeout", attributes={"timeout": 100})
    with connect(proxy.listen) as client:
        client.sendall(b"lost")
        assert read_all(client) == b""


def test_reset_peer_resets_also_an_idle_session(proxy: Any) -> None:
    proxy.add_toxic(type="reset_peer", attributes={"timeout": 50})
    with connect(proxy.listen) as client, pytest.raises(ConnectionResetError):
        client.recv(1)


def test_limit_data_passes_exactly_so_much(proxy: Any) -> None:
    proxy.add_toxic(type="limit_data", attributes={"bytes": 1000})
    with connect(proxy.listen) as client:
        client.sendall(bytes(5000))
        assert len(read_all(client)) == 1000


def test_slicer_and_noop_lose_nothing(proxy: Any) -> None:
    proxy.add_toxic(type="slicer", attributes={"average_size": 64, "size_variation": 32, "delay": 10})
    proxy.add_toxic(type="noop", stream="upstream")
    data = bytes(range(256)) * 20
    with connect(proxy.listen) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == data


def test_a_fin_rule_is_a_toxic(proxy: Any) -> None:
    proxy.add_toxic(type="fin", attributes={"rule": "server.fin -> reset"})
    with connect(proxy.listen) as client:
        client.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
