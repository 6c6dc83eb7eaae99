"""Programs that people use, with the proxy between them: they notice nothing, and nothing is lost."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.support.peers import Upstream, connect
from tests.support.programs import free_port, need, output_of, running
from tests.support.stage import proxy_before

MIB = 1024 * 1024


def body(size: int) -> bytes:
    """Bytes that do not repeat, the same in each run."""
    return random.Random(size).randbytes(size)


def sha256(data: bytes | Path) -> str:
    return hashlib.sha256(data if isinstance(data, bytes) else data.read_bytes()).hexdigest()


class Service(Upstream):
    """A real program's address on the loopback interface."""

    def __init__(self, port: int) -> None:
        self.address = ("127.0.0.1", port)


# --- nginx and curl -------------------------------------------------------------------------------

NGINX = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr notice;
events {{ worker_connections 64; }}
http {{
    access_log off; root {directory}/www; keepalive_timeout {keepalive};
    client_body_temp_path {directory}/tmp; proxy_temp_path {directory}/tmp; fastcgi_temp_path {directory}/tmp;
    uwsgi_temp_path {directory}/tmp; scgi_temp_path {directory}/tmp; client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port};
        location /upload/ {{ dav_methods PUT; }}
    }}
}}
"""


@asynccontextmanager
async def nginx(directory: Path, keepalive: str = "60s") -> AsyncIterator[Service]:
    """Nginx, serving what is in `directory`/www."""
    need("nginx")
    (directory / "www").mkdir()
    with free_port() as port:
        config = directory / "nginx.conf"
        config.write_text(NGINX.format(directory=directory, port=port, keepalive=keepalive))
        async with running(
            "nginx", "-p", str(directory), "-e", "stderr", "-c", str(config), ready="getrlimit|start worker"
        ):
            yield Service(port)


async def test_nginx_and_curl_reuse_one_connection(tmp_path: Path) -> None:
    need("curl")
    async with nginx(tmp_path) as service, proxy_before(service) as (proxy, story):
        (tmp_path / "www" / "page").write_bytes(page := body(MIB))
        url = f"http://{proxy.url}/page"
        assert sha256(await output_of("curl", "-sS", url, url, url)) == sha256(page * 3)
        closed = await story.until("session.closed")
    assert len(story.find("session.opened")) == 1
    assert closed.fields["closed_first"] == "client"
    assert closed.fields["lost"] == 0
    assert closed.fields["aborted"] is None


async def test_nginx_that_closes_after_each_answer(tmp_path: Path) -> None:
    need("curl")
    async with nginx(tmp_path, keepalive="0") as service, proxy_before(service) as (proxy, story):
        (tmp_path / "www" / "page").write_bytes(page := body(MIB))
        url = f"http://{proxy.url}/page"
        assert sha256(await output_of("curl", "-sS", url, url, url)) == sha256(page * 3)
        await story.until("session.closed", count=3)
    for closed in story.find("session.closed"):
        assert closed.fields["closed_first"] == "server"
        assert closed.fields["ended"] == closed.fields["relayed"] == {"client": "fin", "server": "fin"}
        assert closed.fields["lost"] == 0


async def test_curl_waits_for_a_late_fin_where_the_fin_ends_the_body(tmp_path: Path) -> None:
    need("curl")
    async with (
        nginx(tmp_path) as service,
        proxy_before(service, "server.fin -> delay 200ms") as (proxy, story),
    ):
        (tmp_path / "www" / "page").write_bytes(page := body(MIB))
        # HTTP/1.0 without keep-alive; raw: curl does not look at the length that was announced.
        url = f"http://{proxy.url}/page"
        got = await output_of("curl", "-sS", "--http1.0", "--ignore-content-length", url)
        assert sha256(got) == sha256(page)
        closed = await story.until("session.closed")
    assert closed.fields["kept"]["server"] >= 0.2
    assert closed.fields["duration"] >= 0.2


async def test_curl_tells_a_truncated_body(tmp_path: Path) -> None:
    need("curl")
    async with (
        nginx(tmp_path, keepalive="0") as service,
        proxy_before(service, "server.fin -> truncate 100") as (proxy, story),
    ):
        (tmp_path / "www" / "page").write_bytes(body(MIB))
        done = await trio.run_process(
            ["curl", "-sS", f"http://{proxy.url}/page"], capture_stdout=True, capture_stderr=True, check=False
        )
        closed = await story.until("session.closed")
    assert done.returncode == 18  # CURLE_PARTIAL_FILE
    assert len(done.stdout) == MIB - 100
    assert closed.fields["losses"] == [{"leg": "server", "bytes": 100, "why": "server.fin -> truncate 100"}]


async def test_curl_tells_a_reset(tmp_path: Path) -> None:
    need("curl")
    async with (
        nginx(tmp_path) as service,
        proxy_before(service, "server.bytes 1000 -> reset") as (proxy, _),
    ):
        (tmp_path / "www" / "page").write_bytes(body(MIB))
        done = await trio.run_process(
            ["curl", "-sS", f"http://{proxy.url}/page"], capture_stdout=True, capture_stderr=True, check=False
        )
    assert done.returncode == 56  # CURLE_RECV_ERROR
    assert b"reset by peer" in done.stderr


@pytest.mark.slow
async def test_curl_downloads_and_uploads_64_mib(tmp_path: Path) -> None:
    need("curl")
    async with nginx(tmp_path, keepalive="0") as service, proxy_before(service) as (proxy, story):
        (tmp_path / "www" / "upload").mkdir()
        (tmp_path / "www" / "page").write_bytes(page := body(64 * MIB))
        assert sha256(await output_of("curl", "-sS", f"http://{proxy.url}/page")) == sha256(page)
        source = str(tmp_path / "www" / "page")
        await output_of("curl", "-sS", "-T", source, f"http://{proxy.url}/upload/copy")
        await story.until("session.closed", count=2)
        assert sha256(tmp_path / "www" / "upload" / "copy") == sha256(page)


# --- redis ----------------------------------------------------------------------------------------


@asynccontextmanager
async def redis(directory: Path) -> AsyncIterator[Service]:
    """Redis without any file."""
    need("redis-server")
    with free_port() as port:
        settings = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory)]
        async with running("redis-server", *settings, ready="Ready to accept connections"):
            yield Service(port)


async def test_redis_answers_a_client_that_has_half_closed(tmp_path: Path) -> None:
    async with redis(tmp_path) as service, proxy_before(service) as (proxy, story):
        client = await connect(proxy.address)
        await client.send(b"PING\r\n")
        client.fin()
        assert await client.read_until_eof() == b"+PONG\r\n"
        closed = await story.until("session.closed")
    assert closed.fields["ended"] == {"client": "fin", "server": "fin"}
    assert closed.fields["closed_first"] == "client"
    assert closed.fields["lost"] == 0


async def test_redis_cli_talks_through_the_proxy(tmp_path: Path) -> None:
    need("redis-cli")
    async with redis(tmp_path) as service, proxy_before(service) as (proxy, story):
        cli = ("redis-cli", "-p", str(proxy.address[1]))
        big = body(MIB).hex().encode()
        assert await output_of(*cli, "-x", "SET", "key", stdin=big) == b"OK\n"
        assert sha256((await output_of(*cli, "GET", "key")).rstrip(b"\n")) == sha256(big)
        await story.until("session.closed", count=2)
    assert story.lines("reset") == []


async def test_redis_never_hears_of_a_dropped_fin_and_keeps_its_client(tmp_path: Path) -> None:
    need("redis-cli")
    async with redis(tmp_path) as service, proxy_before(service, "client.fin -> drop") as (proxy, story):
        await output_of("redis-cli", "-p", str(proxy.address[1]), "PING")
        await story.until("fin.dropped", "client")
        clients = await output_of("redis-cli", "-p", str(service.address[1]), "CLIENT", "LIST")
        assert f"addr=127.0.0.1:{story.find('session.opened')[0].fields['local'][1]} ".encode() in clients


# --- socat, python --------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [(), ("any.fin -> delay 100ms",), ("client.fin -> hold 100ms",)])
async def test_socat_half_closes_on_both_sides(tmp_path: Path, rules: tuple[str, ...]) -> None:
    """The client's FIN lets `sort` finish: only then does an answer come at all."""
    need("socat", "sort")
    listen = "TCP-LISTEN:0,bind=127.0.0.1"
    async with running("socat", "-d", "-d", "-t", "20", listen, "EXEC:sort", ready="listening on") as server:
        port = int((await server.says(r"listening on AF=2 127\.0\.0\.1:(\d+)"))[1])
        async with proxy_before(Service(port), *rules) as (proxy, story):
            lines = b"".join(b"%06d\n" % n for n in range(100_000))
            shuffled = lines.splitlines(keepends=True)
            random.Random(1).shuffle(shuffled)
            client = ("socat", "-t", "20", "-", f"TCP:{proxy.url}")
            assert sha256(await output_of(*client, stdin=b"".join(shuffled))) == sha256(lines)
            closed = await story.until("session.closed")
    assert closed.fields["closed_first"] == "client"
    assert closed.fields["lost"] == 0


async def test_http_server_of_python(tmp_path: Path) -> None:
    need("curl")
    (tmp_path / "page").write_bytes(page := body(4 * MIB))
    command = [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    async with running(*command, ready="Serving HTTP on") as server:
        port = int((await server.says(r"port (\d+)"))[1])
        async with proxy_before(Service(port)) as (proxy, story):
            assert sha256(await output_of("curl", "-sS", f"http://{proxy.url}/page")) == sha256(page)
            closed = await story.until("session.closed")
    assert closed.fields["ended"] == {"client": "fin", "server": "fin"}
