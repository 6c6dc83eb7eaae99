"""When the upstream does not answer: the client is reset, the records say why, and nobody else waits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
import trio

import finproxy
from tests.support.peers import Upstream, closed_address, connect, full_backlog, listening, patience
from tests.support.stage import Story, proxy_before

UNREACHABLE = """
import socket, subprocess, trio, finproxy

async def main():
    refused = trio.Event()

    def observe(record):
        if record.event == "session.refused":
            print(record.fields["reason"])
            refused.set()

    async with finproxy.open_proxy("192.0.2.1:80", observers=[observe], connect_timeout=0.3) as proxy:
        with socket.socket() as client:  # a blocking connect returns before the reset can meet it
            await trio.to_thread.run_sync(client.connect, proxy.address)
            try:
                print(await trio.to_thread.run_sync(client.recv, 1))
            except OSError as error:
                print(type(error).__name__)
        await refused.wait()

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
route = ROUTE
if route:
    subprocess.run(["ip", "route", "add", *route, "192.0.2.0/24"], check=True)
trio.run(main)
"""


NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"]


@pytest.fixture
def _namespaces() -> None:
    """Skip where no network namespace can be made; that is a failure in CI."""
    programs = shutil.which("unshare") and shutil.which("ip")
    if programs and subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode == 0:
        return
    if os.environ.get("CI"):
        pytest.fail("no network namespace can be made here")
    pytest.skip("no network namespace can be made here")


async def test_refused_upstream_resets_the_client() -> None:
    with closed_address() as nobody:
        async with proxy_before(Nowhere(nobody)) as (proxy, story):
            client = await connect(proxy.address)
            client_address = client.address
            assert await client.read_until_reset() == b""
            refused = await story.until("session.refused")
    assert refused.fields["reason"] == "Connection refused"
    assert refused.fields["upstream"] == f"127.0.0.1:{nobody[1]}"
    assert refused.fields["client"] == list(client_address)
    assert story.find("session.opened") == []


class Nowhere(Upstream):
    """An address at which nobody can be reached."""

    def __init__(self, address: finproxy.Address) -> None:
        self.address = address


async def test_name_that_stands_for_nothing_resets_the_client() -> None:
    async with proxy_before(Nowhere(("nowhere.invalid", 80))) as (proxy, story):
        client = await connect(proxy.address)
        assert await client.read_until_reset() == b""
        refused = await story.until("session.refused")
    assert refused.fields["reason"].startswith("cannot resolve nowhere.invalid")


async def test_upstream_that_does_not_answer_in_time_resets_the_client() -> None:
    async with full_backlog() as upstream, proxy_before(upstream, connect_timeout=0.1) as (proxy, story):
        client = await connect(proxy.address)
        assert await client.read_until_reset() == b""
        refused = await story.until("session.refused")
    assert refused.fields["reason"] == "no answer within 0.1 s"
    assert refused.t >= 0.1


@pytest.mark.usefixtures("_namespaces")
@pytest.mark.parametrize(
    ("route", "reason"),
    [
        ([], "Network is unreachable"),
        (["unreachable"], "No route to host"),
        (["prohibit"], "Permission denied"),
        (["blackhole"], "Invalid argument"),
    ],
    ids=["no route", "unreachable", "prohibited", "blackholed"],
)
async def test_unreachable_upstream_resets_the_client(route: list[str], reason: str) -> None:
    """In a network namespace of its own, so that no packet leaves the machine."""
    script = UNREACHABLE.replace("ROUTE", repr(route))
    command = [*NAMESPACE, sys.executable, "-c", script]
    with patience("the script in its namespace"):
        done = await trio.run_process(command, capture_stdout=True)
    assert sorted(done.stdout.decode().splitlines()) == sorted([reason, "ConnectionResetError"])


async def test_one_slow_dial_does_not_delay_another() -> None:
    async with full_backlog() as upstream, proxy_before(upstream) as (proxy, story):
        await connect(proxy.address)  # the slow one
        await upstream.is_dialled()
        (await upstream.accept()).close()  # from now on there is room, but the first SYN was ignored
        quick = await connect(proxy.address)
        server = await upstream.accept()
        await server.send(b"welcome")
        assert await quick.receive(7) == b"welcome"
        assert story.find("session.opened", session=1) == []
        await upstream.is_dialled()


@pytest.mark.slow
async def test_half_close_before_the_upstream_answered_is_relayed_when_it_does() -> None:
    async with full_backlog() as upstream, proxy_before(upstream) as (proxy, _):
        client = await connect(proxy.address)
        await client.send(b"question")
        client.fin()
        await upstream.is_dialled()
        (await upstream.accept()).close()
        server = await upstream.accept()
        assert await server.read_until_eof() == b"question"
        await server.send(b"answer")
        server.fin()
        assert await client.read_until_eof() == b"answer"


@pytest.mark.slow
async def test_reset_before_the_upstream_answered_is_relayed_when_it_does() -> None:
    async with full_backlog() as upstream, proxy_before(upstream) as (proxy, story):
        client = await connect(proxy.address)
        await upstream.is_dialled()
        client.rst()
        (await upstream.accept()).close()
        server = await upstream.accept()
        assert await server.read_until_reset() == b""
        closed = await story.until("session.closed")
    assert closed.fields["ended"]["client"] == "reset"


async def test_client_that_is_gone_before_it_is_accepted_is_recorded() -> None:
    async with listening() as upstream, proxy_before(upstream) as (proxy, story):
        client = await connect(proxy.address)
        client.rst()  # before the proxy's task had a turn
        refused = await story.until("session.refused")
        assert refused.fields["reason"] == "the client was gone before it was accepted"
        await connect(proxy.address)
        opened = await story.until("session.opened")
        assert opened.session == 2


async def test_sessions_beyond_the_limit_are_refused_with_a_reset() -> None:
    async with listening() as upstream, proxy_before(upstream, max_sessions=1) as (proxy, story):
        first, server = await connect(proxy.address), await upstream.accept()
        second = await connect(proxy.address)
        assert await second.read_until_reset() == b""
        refused = await story.until("session.refused")
        assert refused.fields["reason"] == "1 sessions are open already, which is the limit"
        first.close()
        server.close()
        await story.until("session.closed")
        third, server = await connect(proxy.address), await upstream.accept()
        await third.send(b"room again")
        assert await server.receive(10) == b"room again"


async def test_stopping_the_proxy_resets_a_client_whose_upstream_has_not_answered() -> None:
    story = Story()
    async with full_backlog() as upstream:
        async with finproxy.open_proxy(upstream.address, observers=[story], grace=0) as proxy:
            client = await connect(proxy.address)
            await upstream.is_dialled()
            assert await proxy.stop(0) == []
        assert await client.read_until_reset() == b""
    assert story.find("session.refused")[0].fields["reason"] == "the proxy was stopped"
