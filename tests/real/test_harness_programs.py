"""Real clients and servers climb down their ladders, whoever watches and with whichever source.

A Route says where the client connects and where the server listens. Without the proxy both are the same;
slipping the proxy in means another Route and nothing else.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import harness
from harness import ladders
from harness.ladders import LadderPair
from harness.sources.choice import choose
from harness.sources.owners import find_owners
from harness.watching.seen import Seen
from harness.watching.seen_endpoint import SeenEndpoint
from tests.harness.connections import TABLES, has_tracefs, needs_linux
from tests.real import programs

pytestmark = [needs_linux, pytest.mark.slow]

NOBODY = 65534
PROGRAMS_USER = 0 if os.getuid() == 0 else None
"""Whoever watches, what is watched is ours."""
WITHIN = 10


@dataclass(frozen=True)
class Route:
    """`entry`: the port the client connects to. `upstream`: the port the server listens on."""

    entry: int
    upstream: int


@dataclass(frozen=True)
class Watcher:
    """Who watches: the user and the source."""

    user: int
    source: str | None

    def __str__(self) -> str:
        return f"{'root' if self.user == 0 else 'user'}-{self.source or 'auto'}"


def watchers() -> Iterator[Watcher]:
    """Every user that we can be, with every source that user can have."""
    for user in (0, NOBODY) if os.geteuid() == 0 else (os.geteuid(),):
        for source in (None, "sock_diag", "procfs", "psutil"):
            yield Watcher(user, source)
        if user == 0 and has_tracefs():
            yield Watcher(user, "tracepoint")


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported() -> None:
    """Use each source once: an ordinary user may not be able to read the interpreter's files."""
    for name in TABLES:
        table = choose(name).table
        assert table is not None
        table.rows()
        table.close()
    find_owners({1})


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    """Let this process, all its threads, have the rights of `user`."""
    before = os.geteuid()
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(before)


@contextmanager
def watching(route: Route, watcher: Watcher) -> Iterator[Seen]:
    with (
        acting_as(watcher.user),
        harness.watch(ports={route.entry, route.upstream}, source=watcher.source) as seen,
    ):
        yield seen


def wait_until_established(seen: Seen, route: Route) -> tuple[SeenEndpoint, SeenEndpoint]:
    """Return client and server once both are there."""

    def both_ends() -> tuple[SeenEndpoint, SeenEndpoint] | None:
        # TIME-WAIT rows that are older than this test may have the same port number.
        ends = [end for end in seen.endpoints if end.transitions and end.transitions[0].at > seen.began]
        clients = [end for end in ends if end.endpoint.remote.port == route.entry]
        servers = [end for end in ends if end.endpoint.local.port == route.upstream]
        return (clients[0], servers[0]) if clients and servers else None

    client, server = seen.wait_until(both_ends, within=WITHIN)
    client.wait_for("ESTABLISHED", within=WITHIN)
    server.wait_for("ESTABLISHED", within=WITHIN)
    return client, server


def check(client: SeenEndpoint, server: SeenEndpoint, expected: LadderPair) -> None:
    client.check(expected.client)
    server.check(expected.server)


@pytest.fixture(params=list(watchers()), ids=str)
def watcher(request: pytest.FixtureRequest) -> Watcher:
    assert isinstance(request.param, Watcher)
    return request.param


MakeRoute = Callable[[int], Route]


@pytest.fixture(params=["direct", "proxied"])
def route(request: pytest.FixtureRequest) -> Iterator[MakeRoute]:
    """Give the way from a client to a server's port: the direct one, and the one through the proxy."""
    if request.param == "direct":
        yield lambda upstream: Route(upstream, upstream)
        return
    with ExitStack() as proxies:
        yield lambda upstream: Route(proxies.enter_context(programs.finproxy(upstream)), upstream)


def test_curl_closes_first_and_nginx_follows(watcher: Watcher, route: MakeRoute, tmp_path: Path) -> None:
    # curl waits for somebody to read its output: until then the connection stays as it is.
    output = tmp_path / "output"
    os.mkfifo(output)
    with programs.nginx(tmp_path) as port, watching(way := route(port), watcher) as seen:
        argv = [programs.need("curl"), "-s", "-o", str(output), f"http://127.0.0.1:{way.entry}/page"]
        with programs.running(argv, user=PROGRAMS_USER) as curl:
            client, server = wait_until_established(seen, way)
            with acting_as(os.getuid()):
                assert output.read_bytes() == programs.PAGE
            client.wait_for("TIME-WAIT", within=WITHIN)
            server.wait_for("CLOSED", within=WITHIN)
            assert curl.wait(WITHIN) == 0
    check(client, server, ladders.CLIENT_CLOSES_FIRST)


def test_nginx_closes_first_and_curl_follows(watcher: Watcher, route: MakeRoute, tmp_path: Path) -> None:
    with programs.nginx(tmp_path) as port, watching(way := route(port), watcher) as seen:
        # As a telnet client curl stays until the server closes or its own input ends.
        argv = [programs.need("curl"), "-s", f"telnet://127.0.0.1:{way.entry}"]
        with programs.running(argv, user=PROGRAMS_USER) as curl:
            client, server = wait_until_established(seen, way)
            assert curl.stdin is not None
            curl.stdin.write(b"GET /page HTTP/1.0\r\n\r\n")
            curl.stdin.flush()
            server.wait_for("FIN-WAIT-1", within=WITHIN)
            curl.stdin.close()
            server.wait_for("TIME-WAIT", within=WITHIN)
            client.wait_for("CLOSED", within=WITHIN)
    check(client, server, ladders.SERVER_CLOSES_FIRST)


def test_redis_cli_closes_first_and_redis_follows(watcher: Watcher, route: MakeRoute, tmp_path: Path) -> None:
    with programs.redis(tmp_path) as port, watching(way := route(port), watcher) as seen:
        argv = [programs.need("redis-cli"), "-p", str(way.entry)]
        with programs.running(argv, user=PROGRAMS_USER) as redis_cli:
            assert redis_cli.stdin is not None
            redis_cli.stdin.write(b"PING\n")
            redis_cli.stdin.flush()
            client, server = wait_until_established(seen, way)
            redis_cli.stdin.close()
            client.wait_for("TIME-WAIT", within=WITHIN)
            server.wait_for("CLOSED", within=WITHIN)
    check(client, server, ladders.CLIENT_CLOSES_FIRST)


def test_a_half_close_is_held_until_the_server_has_answered(
    watcher: Watcher, route: MakeRoute, tmp_path: Path
) -> None:
    socat, port, go = programs.need("socat"), programs.free_port(), tmp_path / "go"
    os.mkfifo(go)
    answers = f"SYSTEM:cat >/dev/null; cat {go}"
    serving = [socat, "-t", "60", f"TCP-LISTEN:{port},bind=127.0.0.1", answers]
    with programs.running(serving, port=port), watching(way := route(port), watcher) as seen:
        argv = [socat, "-t", "60", "-", f"TCP:127.0.0.1:{way.entry}"]
        with programs.running(argv, user=PROGRAMS_USER) as half_closer:
            client, server = wait_until_established(seen, way)
            assert half_closer.stdin is not None
            half_closer.stdin.close()
            client.wait_for("FIN-WAIT-2", within=WITHIN)
            server.wait_for("CLOSE-WAIT", within=WITHIN)
            check(client, server, ladders.CLIENT_HALF_CLOSES)
            with acting_as(os.getuid()):
                go.write_bytes(b"the late answer")  # returns when the server has opened the other end
            client.wait_for("TIME-WAIT", within=WITHIN)
            assert half_closer.stdout is not None
            assert half_closer.stdout.read() == b"the late answer"
            server.wait_for("CLOSED", within=WITHIN)
    check(client, server, ladders.CLIENT_CLOSES_FIRST)


@pytest.mark.parametrize("by", ["client", "server"])
def test_a_reset_in_each_direction(watcher: Watcher, route: MakeRoute, by: str) -> None:
    socat, port = programs.need("socat"), programs.free_port()
    # With linger zero the kernel sends RST when the killed process's socket is closed.
    linger = {end: ",linger=0" if end == by else "" for end in ("client", "server")}
    serving = [socat, f"TCP-LISTEN:{port},bind=127.0.0.1{linger['server']}", "-"]
    with (
        programs.running(serving, port=port) as server_program,
        watching(way := route(port), watcher) as seen,
    ):
        argv = [socat, "-", f"TCP:127.0.0.1:{way.entry}{linger['client']}"]
        with programs.running(argv, user=PROGRAMS_USER) as client_program:
            client, server = wait_until_established(seen, way)
            with acting_as(os.getuid()):
                (client_program if by == "client" else server_program).send_signal(signal.SIGKILL)
            client.wait_for("CLOSED", within=WITHIN)
            server.wait_for("CLOSED", within=WITHIN)
    check(client, server, ladders.CLIENT_ABORTS if by == "client" else ladders.SERVER_ABORTS)
