"""What the API costs: calls a second, sessions beside it, 10,000 toxics, fifty readers with one stalled.

Whoever calls, transfers and answers is a process of its own; on a machine of few cores they all share them.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import Process
from pathlib import Path

import trio

from ..support.served import Served, serving
from .support import KIB, listener, status

_SESSIONS = 100
_SECONDS = 2.0
_RATES = (50, 200, 1_000)
_TOXICS = 10_000
_READERS = 50
_CHURN = 14.0
"""Seconds: longer than a reader may take nothing."""
_MESSAGE = bytes(16_384)

Address = tuple[str, int]


def main(_arguments: list[str]) -> None:
    """Print what the API can do, and what it costs those whose connections go through the proxy."""
    with ProcessPoolExecutor(2) as pool, _served() as (served, proxy):
        _print_rates(pool, served, proxy)
        _print_leftovers(served)
        _print_readers(pool, served, proxy)


@contextmanager
def _served() -> Iterator[tuple[Served, Address]]:
    """A finproxy, and where it listens in front of a server that echoes."""
    with listener() as upstream, serving() as served:
        echo = Process(target=_echo, args=(upstream,), daemon=True)
        echo.start()
        # What it prints of sessions has to be read, or it would wait for room in the pipe.
        assert served.process.stderr
        threading.Thread(target=served.process.stderr.read, daemon=True).start()
        where = served.says("create", "web", "0", f"127.0.0.1:{upstream.getsockname()[1]}").strip()
        try:
            yield served, ("127.0.0.1", int(where.rpartition(":")[2]))
        finally:
            echo.terminate()
            echo.join()


# --- calls beside sessions ------------------------------------------------------------------------------


def _print_rates(pool: ProcessPoolExecutor, served: Served, proxy: Address) -> None:
    made, took = pool.submit(_call, served.address, None, _SECONDS).result()
    print(f"one client, one connection, no sessions: {made / took:.0f} calls a second (GET /proxies/web)")
    print(f"{_SESSIONS} sessions that transfer as fast as they can; each rate has a run of its own without")
    for rate in _RATES:
        alone = pool.submit(_transfer, proxy, _SECONDS).result()
        transfer = pool.submit(_transfer, proxy, _SECONDS)
        made, took = pool.submit(_call, served.address, rate, _SECONDS).result()
        beside = transfer.result()
        print(
            f"  {rate:5} calls a second asked for, {made / took:5.0f} made: "
            f"{alone:6.1f} MB a second alone, {beside:6.1f} beside them, {100 * (beside / alone - 1):+.0f} %"
        )


def _call(api: Address, rate: float | None, seconds: float) -> tuple[int, float]:
    """Ask for a proxy, so often a second or as often as it goes; returns how often it was, in what time."""
    made, started = 0, time.monotonic()
    connection = http.client.HTTPConnection(*api, timeout=60)
    while (now := time.monotonic() - started) < seconds:
        if rate and made > now * rate:
            time.sleep(made / rate - now)
        _ask(connection, "GET", "/proxies/web")
        made += 1
    connection.close()
    return made, time.monotonic() - started


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> bytes:
    connection.request(method, path, body)
    with connection.getresponse() as answer:
        assert answer.status < 300, answer.status
        return answer.read()


def _transfer(proxy: Address, seconds: float) -> float:
    """Megabytes a second that come back, over all sessions."""
    return trio.run(_transfer_all, proxy, seconds)


async def _transfer_all(proxy: Address, seconds: float) -> float:
    count = 0

    async def exchange(stream: trio.SocketStream) -> None:
        nonlocal count
        while True:
            await stream.send_all(_MESSAGE)
            left = len(_MESSAGE)
            while left:
                left -= len(await stream.receive_some(left))
            count += 1

    streams = [await trio.open_tcp_stream(*proxy) for _ in range(_SESSIONS)]
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(exchange, stream)
    for stream in streams:
        await trio.aclose_forcefully(stream)
    return count * len(_MESSAGE) / seconds / 1e6


def _echo(upstream: socket.socket) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        try:
            async for data in stream:
                await stream.send_all(data)
        except trio.BrokenResourceError:
            return

    async def serve() -> None:
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(upstream))]
        await trio.serve_listeners(answer, listeners)

    trio.run(serve)


# --- toxics that come and go ----------------------------------------------------------------------------


def _print_leftovers(served: Served) -> None:
    connection = http.client.HTTPConnection(*served.address, timeout=60)
    _come_and_go(connection, _TOXICS // 10)  # what is taken once stays
    before = _state(served)
    started = time.monotonic()
    _come_and_go(connection, _TOXICS)
    took = time.monotonic() - started
    after = _state(served)
    connection.close()
    rate = 2 * _TOXICS / took
    print(
        f"{_TOXICS} toxics added and removed, in {took:.1f} s ({rate:.0f} calls a second); before and after"
    )
    for name, count in before.items():
        print(f"  {name:12} {count:9} {after[name]:9}")


def _come_and_go(connection: http.client.HTTPConnection, times: int) -> None:
    for number in range(times):
        toxic = {"name": f"t{number}", "type": "latency", "attributes": {"latency": 10}}
        _ask(connection, "POST", "/proxies/web/toxics", json.dumps(toxic))
        _ask(connection, "DELETE", f"/proxies/web/toxics/t{number}")


def _state(served: Served) -> dict[str, int]:
    pid = served.process.pid
    return {
        "memory KiB": status(pid, "VmRSS") // KIB,
        "descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir())),
    }


# --- readers --------------------------------------------------------------------------------------------


def _print_readers(pool: ProcessPoolExecutor, served: Served, proxy: Address) -> None:
    alone = pool.submit(_churn, proxy, _SECONDS).result()
    with ExitStack() as stack:
        told = stack.enter_context(_stream(served.address, "?event=reader.dropped"))
        reading = pool.submit(_read, served.address, _READERS - 1, _CHURN)
        stack.enter_context(_stream(served.address, "?after=0"))  # nobody reads this one
        beside = pool.submit(_churn, proxy, _CHURN).result()
        received = reading.result()
        why = _why_dropped(told)
    print(f"{_READERS - 1} readers of records and one that is stalled")
    print(f"  sessions a second  {alone:.0f} without readers, {beside:.0f} with them")
    print(f"  megabytes received {min(received) / 1e6:.1f} to {max(received) / 1e6:.1f} by each")
    print(f"  the stalled one    {why}")


def _stream(api: Address, query: str) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(api)
    sock.sendall(f"GET /v1/records/stream{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return sock


def _why_dropped(told: socket.socket) -> str:
    told.settimeout(_SECONDS)
    said = b""
    with suppress(TimeoutError):
        while b'"why": ' not in said:
            said += told.recv(4096)
        return "dropped: " + said.decode().partition('"why": ')[2].partition("}")[0]
    return "NOT dropped"


def _churn(proxy: Address, seconds: float) -> float:
    """Sessions a second, one after the other."""
    sessions, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.create_connection(proxy) as client:
            client.shutdown(socket.SHUT_WR)
            client.recv(1)
        sessions += 1
    return sessions / seconds


def _read(api: Address, readers: int, seconds: float) -> list[int]:
    return trio.run(_read_all, api, readers, seconds)


async def _read_all(api: Address, readers: int, seconds: float) -> list[int]:
    received = [0] * readers

    async def read(number: int) -> None:
        stream = await trio.open_tcp_stream(*api)
        await stream.send_all(b"GET /v1/records/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async for data in stream:
            received[number] += len(data)

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for number in range(readers):
                nursery.start_soon(read, number)
    return received
