"""Load and bad days: no descriptors, failing accepts, defects in a session, and thousands of sessions."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio

import finproxy
from finproxy import events, sockets
from finproxy.engine import Engine
from finproxy.fates import Fates
from finproxy.legs import Leg
from finproxy.relay import Flow
from finproxy.session import Session
from tests.support.peers import Peer, Upstream, connect, listening
from tests.support.programs import Program, running
from tests.support.resources import nothing_left_behind, peak_memory
from tests.support.stage import both_ways, proxy_before, stage

GONE = (ConnectionResetError, trio.BrokenResourceError)
"""What a peer meets that reads from, or writes to, a connection that was reset."""

PROXY_IN_A_PROCESS = """
import resource, sys, trio, finproxy

async def main(port, descriptors):
    if descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    journal = finproxy.Journal(sys.stdout)
    async with finproxy.open_proxy(("127.0.0.1", port), observers=[journal]):
        await trio.sleep_forever()

trio.run(main, *map(int, sys.argv[1:]))
"""


@asynccontextmanager
async def proxy_process(
    upstream: Upstream, descriptors: int = 0
) -> AsyncIterator[tuple[Program, finproxy.Address]]:
    """A proxy in a process of its own; its output is its journal and its log."""
    command = [sys.executable, "-c", PROXY_IN_A_PROCESS, str(upstream.address[1]), str(descriptors)]
    async with running(*command, ready="proxy.listening.*\n") as program:
        listening = await program.says(r'"address": \["127.0.0.1", (\d+)\]')
        yield program, ("127.0.0.1", int(listening[1]))


# --- accepting ------------------------------------------------------------------------------------


async def test_running_out_of_descriptors_does_not_end_the_proxy() -> None:
    async with (
        listening() as upstream,
        proxy_process(upstream, descriptors=24) as (proxy, address),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(echo_for_ever, upstream)
        crowd: list[Peer] = []
        while len(crowd) < 30:
            with suppress(ConnectionResetError):  # accepted, and refused: no descriptor to dial with
                crowd.append(await connect(address))
        await proxy.says("cannot accept for now")
        for client in crowd:
            client.rst()
        while not await is_served(address):
            pass
        nursery.cancel_scope.cancel()


async def echo_for_ever(upstream: Upstream) -> None:
    """A server that sends the first bytes of each connection back."""
    while True:
        server = await upstream.accept()
        with suppress(*GONE):
            await server.send(await server.receive_some())


async def is_served(address: finproxy.Address) -> bool:
    """Whether a new client gets its echo; False where the proxy has no descriptors for it yet."""
    try:
        client = await connect(address)
        await client.send(b"still here?")
        return await client.receive(11) == b"still here?"
    except GONE:
        return False


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_accept_that_fails_for_want_of_something_is_tried_again(
    code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    really_accept, failures = sockets.accept, [code, code]

    def accept(listener: socket.socket) -> socket.socket | None:
        if failures:
            raise OSError(failures.pop(), os.strerror(code))
        return really_accept(listener)

    monkeypatch.setattr(sockets, "accept", accept)
    async with stage() as s:
        await s.client.send(b"question")
        assert await s.server.receive(8) == b"question"
    assert caplog.messages == [f"{s.proxy.url} cannot accept for now: {os.strerror(code)}"] * 2


class FailingListener(socket.socket):
    """A listener whose first connections are gone when they are accepted."""

    failures = 2

    def accept(self) -> tuple[socket.socket, Any]:
        if self.failures:
            self.failures -= 1
            raise ConnectionAbortedError(errno.ECONNABORTED, "Software caused connection abort")
        return super().accept()


def test_connection_that_was_aborted_before_it_was_accepted_is_passed_over() -> None:
    with FailingListener() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        accepted = sockets.accept(listener)
        assert accepted is not None
        with accepted:
            assert accepted.getpeername() == client.getsockname()
        assert listener.failures == 0


# --- defects --------------------------------------------------------------------------------------

Break = Callable[[pytest.MonkeyPatch], None]


def break_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine fails at a FIN, before it has decided anything."""
    monkeypatch.setattr(Engine, "_fin_received", fail_in_the_first_session(Engine._fin_received))


def break_a_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine fails in the middle: it has given a leg up, and its command is never carried out."""
    monkeypatch.setattr(Fates, "nobody_to_tell", fail_in_the_first_session(Fates.nobody_to_tell))


def break_the_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow fails when it is to send the FIN."""
    monkeypatch.setattr(Flow, "finish", fail_in_the_first_session(Flow.finish))


def fail_in_the_first_session(method: Callable[..., None]) -> Callable[..., None]:
    """The same method, which fails when it is called for the first time."""
    failures = [RuntimeError("a defect")]

    def broken(*args: Any, **kwargs: Any) -> None:
        if failures:
            raise failures.pop()
        method(*args, **kwargs)

    return broken


@pytest.mark.parametrize("defect", [break_the_table, break_a_decision, break_the_relay])
@both_ways
async def test_defect_ends_its_session_and_nothing_else(
    near: str, defect: Break, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening() as upstream:
        with nothing_left_behind():
            async with proxy_before(upstream) as (proxy, story):
                first = {Leg.CLIENT: await connect(proxy.address), Leg.SERVER: await upstream.accept()}
                other = await connect(proxy.address), await upstream.accept()
                await story.until("session.opened", count=2)
                defect(monkeypatch)
                if defect is break_a_decision:
                    first[Leg(near)].rst()
                else:
                    first[Leg(near)].fin()
                crashed = await story.until("session.crashed")
                assert crashed.session == 1
                closed = await story.until("session.closed")
                assert closed.fields["aborted"] == "the session crashed: RuntimeError('a defect')"
                assert await first[Leg(near).other].read_until_reset() == b""
                assert list(proxy.sessions) == [2]
                await other[0].send(b"undisturbed")
                assert await other[1].receive(11) == b"undisturbed"
            for peer in (*first.values(), *other):
                peer.close()
    assert [(r.levelno, r.message) for r in caplog.records] == [(logging.ERROR, "session 1 crashed")]


async def test_session_that_cannot_even_open_is_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Session, "open", fail)
    async with listening() as upstream:
        with nothing_left_behind():
            async with proxy_before(upstream) as (proxy, story):
                peer = await connect(proxy.address)
                await story.until("session.crashed")
                assert await peer.read_until_reset() == b""
                assert not proxy.sessions  # whoever stops it acts on no dead leg
            peer.close()
    assert [(r.levelno, r.message) for r in caplog.records] == [(logging.ERROR, "session 1 crashed")]


async def test_defect_while_the_proxy_stops_does_not_keep_it_from_stopping(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening() as upstream:
        with nothing_left_behind():
            async with proxy_before(upstream) as (proxy, story):
                peers = [await connect(proxy.address), await upstream.accept()]
                peers += [await connect(proxy.address), await upstream.accept()]
                await story.until("session.opened", count=2)
                monkeypatch.setattr(Fates, "abort_all", fail_in_the_first_session(Fates.abort_all))
                assert len(await proxy.stop(0)) == 2
            for peer in peers:
                assert await peer.read_until_reset() == b""
                peer.close()
    assert len(story.find("session.closed")) == 2
    assert len(story.find("session.crashed")) == 1


async def test_session_that_cannot_even_start_ends_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening() as upstream:
        with nothing_left_behind():
            async with proxy_before(upstream) as (proxy, story):
                monkeypatch.setattr(Session, "__init__", fail_in_the_first_session(Session.__init__))
                first = await connect(proxy.address), await upstream.accept()
                assert await first[0].read_until_reset() == await first[1].read_until_reset() == b""
                second = await connect(proxy.address), await upstream.accept()
                await second[0].send(b"undisturbed")
                assert await second[1].receive(11) == b"undisturbed"
                assert (await story.until("session.crashed")).session == 1
            for peer in first + second:
                peer.close()
    assert [r.message for r in caplog.records] == ["session 1 crashed"]


async def test_command_that_makes_no_sense_ends_its_session(caplog: pytest.LogCaptureFixture) -> None:
    async with stage() as s:
        s.client.fin()
        assert await s.server.read_until_eof() == b""
        session = s.proxy.sessions[1]
        session._shell.guard(lambda: session._shell.tell(events.FinReceived(session.age, Leg.CLIENT)))
        assert await s.client.read_until_reset() == b""
        assert "IllegalTransitionError" in (await s.story.until("session.crashed")).fields["why"]
    assert caplog.messages == ["session 1 crashed"]


async def test_observer_that_fails_is_unplugged_and_traffic_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    seen = []

    def observer(record: finproxy.Record) -> None:
        seen.append(record.event)
        raise RuntimeError("a defect of the observer")

    async with stage(observers=(observer,)) as s:
        s.client.fin()
        assert await s.server.read_until_eof() == b""
        await s.finish_politely()
        await s.closed()
    assert seen == ["proxy.listening"]
    assert "an observer failed and was unplugged" in caplog.text


# --- many -----------------------------------------------------------------------------------------


async def one_session(proxy: finproxy.Proxy, upstream: Upstream, taking_turns: trio.Lock, how: int) -> None:
    """A short session that ends in one of four ways."""
    async with taking_turns:  # so that these two are the ends of one session
        client, server = await connect(proxy.address), await upstream.accept()
    await client.send(b"question")
    if how == 0:
        client.rst()
    elif how == 1:
        server.close()
    else:
        client.fin()
        if how == 2:
            server.fin()
    for peer in (client, server):
        peer.close()


@pytest.mark.slow
async def test_thousands_of_sessions_leave_nothing_behind() -> None:
    async with listening() as upstream:
        with nothing_left_behind():
            async with proxy_before(upstream) as (proxy, story):
                await trio.testing.wait_all_tasks_blocked()
                with nothing_left_behind():
                    taking_turns = trio.Lock()
                    for turn in range(100):
                        async with trio.open_nursery() as nursery:
                            for _ in range(20):
                                nursery.start_soon(one_session, proxy, upstream, taking_turns, turn % 4)
                    await story.until("session.closed", count=2000)
                    await trio.testing.wait_all_tasks_blocked()
                assert proxy.sessions == {}


@pytest.mark.slow
async def test_chance_repeats_with_its_seed() -> None:
    async def outcomes(seed: int) -> list[str]:
        async with (
            listening() as upstream,
            proxy_before(upstream, "client.fin -> reset @0.5", "server.fin -> drop @0.2", seed=seed) as (
                proxy,
                story,
            ),
        ):
            for number in range(1, 201):
                client, server = await connect(proxy.address), await upstream.accept()
                client.fin()
                server.fin()
                await story.until("fin.received", "client", session=number)
            fired = story.find("rule.fired", "client")
            return sorted(f"{r.session} {r.fields['rule']}" for r in fired)

    first = await outcomes(1)
    assert first == await outcomes(1)
    assert first != await outcomes(2)
    assert 60 < len(first) < 140


@pytest.mark.slow
async def test_gibibyte_through_a_slow_reader_costs_little_memory() -> None:
    block = bytes(1024 * 1024)
    async with (
        listening() as upstream,
        proxy_process(upstream) as (proxy, address),
        trio.open_nursery() as nursery,
    ):
        client = await connect(address)
        await client.send(b"warm up")
        server = await upstream.accept()
        assert await server.receive(7) == b"warm up"
        before = peak_memory(proxy.pid)

        async def write() -> None:
            for _ in range(1024):
                await client.send(block)
            client.fin()

        nursery.start_soon(write)
        count = 0
        while some := await server.receive_some(100_000):
            count += len(some)
            if count % 7 == 0:
                await trio.lowlevel.checkpoint()  # the reader is the slower one: it has its socket full
        server.close()
        await proxy.says("session.closed")
        assert count == 1024 * len(block)
        assert peak_memory(proxy.pid) - before < 32 * 1024 * 1024
