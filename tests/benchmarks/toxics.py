"""How exactly toxics keep time and rate, and what 10,000 of them leave behind when they come and go."""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from finproxy import Proxy, open_proxy
from finproxy.toxics import Bandwidth, Latency, LimitData, Noop, ResetPeer, Slicer, SlowClose, Toxic
from finproxy.toxics.values import Attributes

from .support import KIB, percentile

_SESSIONS = 100
_MESSAGES = 10
_LATENCIES = (1, 10, 100, 500)
_RATES = {10: 1.0, 100: 1.0, 1_000: 1.0, 10_000: 1.0}
"""Kilobytes a second, and for how many seconds bytes are sent."""
_CHANGES = 10_000


def main(_arguments: list[str]) -> None:
    """Print the errors of latency and bandwidth, and what is left after 10,000 changes."""
    trio.run(_all)


async def _all() -> None:
    print(f"latency: {_SESSIONS} sessions at once, {_MESSAGES} messages each; later than asked by")
    for latency in _LATENCIES:
        late = await _lateness(latency)
        figures = [f"{name} {percentile(late, share) * 1000:.2f} ms" for name, share in _SHARES.items()]
        print(f"  {latency:4} ms   " + "   ".join(figures))
    print("bandwidth: one session; the rate that was measured, and how far from what was asked")
    for rate, seconds in _RATES.items():
        measured = await _rate(rate, seconds)
        print(f"  {rate:6} KB/s   {measured:9.2f} KB/s   {100 * (measured / rate - 1):+.2f} %")
    await _leftovers()


_SHARES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


@asynccontextmanager
async def _pairs(count: int, *toxics: Toxic) -> AsyncIterator[tuple[Proxy, list[_Pair]]]:
    """So many clients with their servers, through a proxy with these toxics."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    address = listener.socket.getsockname()
    async with listener, open_proxy(address, toxics=toxics, grace=0.0) as proxy:
        pairs = []
        for _ in range(count):
            client = await trio.open_tcp_stream(*proxy.address)
            pairs.append((client, await listener.accept()))
        yield proxy, pairs
        for pair in pairs:
            for end in pair:
                await trio.aclose_forcefully(end)


_Pair = tuple[trio.SocketStream, trio.SocketStream]


async def _lateness(latency: int) -> list[float]:
    """Seconds by which messages came later than asked, in a process that has to read the clock as well."""
    late: list[float] = []

    async def exchange(client: trio.SocketStream, server: trio.SocketStream, offset: float) -> None:
        await trio.sleep(offset)
        for _ in range(_MESSAGES):
            start = time.perf_counter()
            await client.send_all(b"message")
            await server.receive_some()
            late.append(time.perf_counter() - start - latency / 1000)

    toxic = Toxic("t", "upstream", Latency(latency))
    async with _pairs(_SESSIONS, toxic) as (_, pairs), trio.open_nursery() as nursery:
        for number, pair in enumerate(pairs):
            nursery.start_soon(exchange, *pair, number * 0.001)
    return late


async def _rate(rate: int, seconds: float) -> float:
    """Kilobytes a second that a receiver sees."""
    size = int(rate * 1000 * seconds)
    toxic = Toxic("t", "upstream", Bandwidth(rate))
    async with _pairs(1, toxic) as (_, [(client, server)]), trio.open_nursery() as nursery:
        start = time.perf_counter()
        nursery.start_soon(client.send_all, bytes(size))
        left = size
        while left:
            left -= len(await server.receive_some(65536))
        took = time.perf_counter() - start
    return size / 1000 / took


_KINDS: tuple[Attributes, ...] = (
    Latency(1000),
    Bandwidth(10),
    Slicer(10, 5, 100),
    SlowClose(1000),
    LimitData(2**40),
    ResetPeer(3_600_000),
    Noop(),
)


async def _leftovers() -> None:
    """Add and remove toxics on ten live sessions, with bytes in their lines, and look at what is left."""
    async with _pairs(10) as (proxy, pairs):
        await _come_and_go(proxy, pairs, _CHANGES // 10)  # what is taken once stays
        before = _state(proxy)
        start = time.perf_counter()
        await _come_and_go(proxy, pairs, _CHANGES)
        took = time.perf_counter() - start
        after = _state(proxy)
    print(f"{_CHANGES} toxics added and removed on 10 live sessions, in {took:.1f} s; before and after")
    for name, count in before.items():
        print(f"  {name:12} {count:9} {after[name]:9}")


async def _come_and_go(proxy: Proxy, pairs: list[_Pair], changes: int) -> None:
    for number in range(changes):
        stream = ("upstream", "downstream")[number % 2]
        await proxy.set_toxics([Toxic(f"t{number}", stream, _KINDS[number % len(_KINDS)])])
        client, server = pairs[number % len(pairs)]
        await (client if number % 2 == 0 else server).send_all(b"message")
        await proxy.set_toxics([])
        await (server if number % 2 == 0 else client).receive_some()


def _state(proxy: Proxy) -> dict[str, int]:
    gc.collect()
    fields = Path("/proc/self/statm").read_text().split()
    return {
        "memory KiB": int(fields[1]) * 4096 // KIB,
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "timers": len(proxy._around.timers._heap),
        "objects": len(gc.get_objects()),
    }
