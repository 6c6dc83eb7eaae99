"""A proxy on the other side of the control API, used like one that is here."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.driving import Upstream
from harness.errors import LadderMismatch
from harness.proxied import ProxyFailedError, WatchedProxy
from harness.remote.asking import Asker, RefusedError, UnreachableError
from harness.remote.proxy_driver import RemoteDriver
from harness.story import RecordNotSeenError
from harness.verdict import CloseKind
from tests.harness.connections import abort, needs_linux
from tests.support.services import Service, running_agent, running_api

pytestmark = needs_linux


@pytest.fixture(scope="module")
def api() -> Iterator[Service]:
    with running_api() as running:
        yield running


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        yield listening


def proxy_at(api: Service, upstream: Upstream, *rules: str, **settings: object) -> WatchedProxy:
    return WatchedProxy(RemoteDriver(Asker(api.url), rules, settings), upstream)


@contextmanager
def watched_by_an_agent(api: Service, listener: socket.socket, *rules: str) -> Iterator[WatchedProxy]:
    driver = RemoteDriver(Asker(api.url), rules, {})
    with running_agent(ports=[listener.getsockname()[1]]) as agent:
        proxy = WatchedProxy(driver, listener.getsockname(), agents={"there": agent.url})
        try:
            yield proxy
        finally:
            proxy.close()


@pytest.fixture
def proxy(api: Service, listener: socket.socket) -> Iterator[WatchedProxy]:
    made = proxy_at(api, listener.getsockname(), "client.fin -> hold", seed=7)
    yield made
    made.close()


def test_it_is_what_was_asked_for(proxy: WatchedProxy) -> None:
    assert proxy.rules == ("client.fin -> hold",)
    assert proxy.seed == 7
    assert proxy.host == "127.0.0.1"


def test_a_held_fin_is_seen_released_and_checked(proxy: WatchedProxy, listener: socket.socket) -> None:
    client = proxy.connect()
    server, _ = listener.accept()
    with server:
        client.shutdown(socket.SHUT_WR)
        held = proxy.wait_for("fin.held", "client")
        proxy.session.client.wait_for("FIN-WAIT-2")
        assert held.session == proxy.session.number
        assert proxy.session.server.state == "ESTABLISHED"

        proxy.release("client")
        assert server.recv(1) == b""
        server.close()
        proxy.session.closed()
    proxy.session.client.check("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT")
    proxy.session.server.check("ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED")
    assert "FIN-WAIT-2" in proxy.session.draw()
    assert str(proxy.session.judge_data().kind) == "complete"


def test_sessions_are_steered(proxy: WatchedProxy, listener: socket.socket) -> None:
    client = proxy.connect()
    with listener.accept()[0]:
        proxy.set_rules("server.fin -> drop")
        assert proxy.rules == ("server.fin -> drop",)
        proxy.hold("client")
        client.shutdown(socket.SHUT_WR)
        proxy.wait_for("fin.held", "client")
        assert proxy.release_all() == 1
        proxy.act("server", "reset")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_reset_is_not_taken_for_an_end_between_two_looks(api: Service, listener: socket.socket) -> None:
    """Agents see tables, which show a connection's end, not what ended it: that the proxy knows."""
    with watched_by_an_agent(api, listener) as proxy:
        client = proxy.connect()
        with listener.accept()[0] as server:
            server.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
            proxy.session.client.wait_for("CLOSE-WAIT")
            abort(client)
            with pytest.raises(LadderMismatch, match="LAST-ACK"):
                proxy.session.client.check("ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED")
        proxy.session.client.check("ESTABLISHED > CLOSE-WAIT > CLOSED")
        closed = proxy.session.judge_close()
    assert (closed.kind, closed.by) == (CloseKind.RESET, "client")


def test_a_fin_that_became_a_reset_is_not_taken_for_a_fin(api: Service, listener: socket.socket) -> None:
    with watched_by_an_agent(api, listener, "server.fin -> reset") as proxy:
        with proxy.connect() as client:
            listener.accept()[0].close()
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        with pytest.raises(LadderMismatch, match="LAST-ACK"):
            proxy.session.client.check("ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED")
        proxy.session.client.check("ESTABLISHED > CLOSED")
        assert proxy.session.judge_close().kind is CloseKind.RESET


def test_a_close_between_two_looks_is_still_believed(api: Service, listener: socket.socket) -> None:
    with watched_by_an_agent(api, listener) as proxy:
        with proxy.connect() as client, listener.accept()[0] as server:
            server.close()
            assert client.recv(1) == b""
        proxy.session.client.check("ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED")


def test_what_is_not_held_cannot_be_released(proxy: WatchedProxy, listener: socket.socket) -> None:
    proxy.connect()
    with listener.accept()[0], pytest.raises(RefusedError, match="held"):
        proxy.release("client")


def test_sessions_before_the_watch_began_are_told_too(api: Service, listener: socket.socket) -> None:
    port = _free_port()
    driver = RemoteDriver(Asker(api.url), [], {"listen": port})

    class Early(RemoteDriver):
        """Somebody connects before anybody looks, as a client that retries does."""

        def begin(self) -> None:
            socket.create_connection(("127.0.0.1", port)).close()
            listener.accept()[0].close()
            super().begin()

    driver.__class__ = Early
    proxy = WatchedProxy(driver, listener.getsockname())
    try:
        proxy.session.closed()
        assert proxy.session.number == 1
    finally:
        proxy.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as freed:
        port: int = freed.getsockname()[1]
        return port


def test_it_is_gone_once_closed(api: Service, listener: socket.socket) -> None:
    proxy = proxy_at(api, listener.getsockname())
    proxy.close()
    proxy.close()

    assert Asker(api.url).get("/v1/proxies")["proxies"] == []
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(proxy.address)


def test_two_tests_have_proxies_of_their_own(api: Service, listener: socket.socket) -> None:
    first, second = (proxy_at(api, listener.getsockname()) for _ in range(2))
    try:
        first.connect()
        with listener.accept()[0]:
            assert first.session.number == 1
            assert second.sessions == ()
    finally:
        first.close()
        second.close()


def test_a_rule_that_is_none_is_refused_as_it_is_here(api: Service, listener: socket.socket) -> None:
    with pytest.raises(RefusedError, match="column"):
        proxy_at(api, listener.getsockname(), "client.fin -> hodl")

    assert Asker(api.url).get("/v1/proxies")["proxies"] == []


def test_a_finproxy_that_is_not_there_is_named(listener: socket.socket) -> None:
    gone = Asker(f"http://127.0.0.1:{_free_port()}")

    with pytest.raises(UnreachableError, match=r"expected an answer from http://127\.0\.0\.1"):
        WatchedProxy(RemoteDriver(gone, [], {}), listener.getsockname())


def test_a_finproxy_that_goes_is_not_waited_for(listener: socket.socket) -> None:
    with running_api() as api:
        proxy = proxy_at(api, listener.getsockname())
        api.stop()
        with pytest.raises(RecordNotSeenError) as unseen:
            proxy.wait_for("fin.held", within=60)
        assert isinstance(unseen.value.__cause__, UnreachableError)
        with pytest.raises(ProxyFailedError, match="UnreachableError"):
            proxy.close()
