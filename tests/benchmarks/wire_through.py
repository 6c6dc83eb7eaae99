"""The wire benchmark's second half: FINs through a proxy, and what a filter costs that is not used."""

from __future__ import annotations

import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Callable

import trio

import finproxy
from finproxy.legs import Leg
from finproxy.wire.tcp_info import KernelState, state

from .support import MIB, listener, percentile, proxy_process

_PENDING = 20_000
"""Bytes sent ahead of each FIN for zero-window: more than its window, and 1,000 times not too much."""
_UNUSED = "client.fin -> hold at wire @0.000001"
_BULK = 256 * MIB
_MESSAGES = 3_000


def through_proxy(technique: str, rounds: int, at_once: int) -> None:
    """Print how fast held FINs come in after their release, one by one and all together."""
    seconds = trio.run(_one_by_one, technique, rounds)
    stuck, took = trio.run(_all_at_once, technique, at_once)
    p50, p99 = (percentile(seconds, share) * 1000 for share in (0.5, 0.99))
    print(f"| {technique} | {p50:.2f} ms | {p99:.2f} ms | {stuck} of {at_once} | {took:.2f} s |", flush=True)


def unused(technique: str, rounds: int) -> None:
    """Print the relay's throughput with a filter that no session uses, as a share of that without one."""
    with listener() as server:
        threading.Thread(target=_serve_for_ever, args=(server,), daemon=True).start()
        port = server.getsockname()[1]
        with proxy_process(port) as plain, proxy_process(port, [_UNUSED], "--wire", technique) as prepared:
            bulk = _ratio(_bulk, plain.address, prepared.address, rounds)
            small = _ratio(_small, plain.address, prepared.address, rounds)
    print(f"| {technique} | {bulk:.2f} | {small:.2f} |", flush=True)


async def _one_by_one(technique: str, rounds: int) -> list[float]:
    with listener() as server:
        async with _proxy(server, technique) as proxy:
            return [await _one_round(proxy, server, technique) for _ in range(rounds)]


async def _one_round(proxy: finproxy.Proxy, server: socket.socket, technique: str) -> float:
    with contextlib.ExitStack() as stack:
        client = await _held(proxy, server, technique, stack)
        await _until(lambda: all(session.kept(Leg.CLIENT) for session in proxy.sessions.values()))
        began = time.perf_counter()
        await proxy.release_all()
        await _until(lambda: state(client) is not KernelState.FIN_WAIT_1)
        took = time.perf_counter() - began
    await _until(lambda: not proxy.sessions)
    return took


async def _all_at_once(technique: str, count: int) -> tuple[int, float]:
    with listener() as server, contextlib.ExitStack() as stack:
        async with _proxy(server, technique) as proxy:
            clients = [await _held(proxy, server, technique, stack) for _ in range(count)]
            await _until(lambda: all(session.kept(Leg.CLIENT) for session in proxy.sessions.values()))
            stuck = sum(state(client) is KernelState.FIN_WAIT_1 for client in clients)
            began = time.perf_counter()
            await proxy.release_all()
            await _until(lambda: all(state(client) is not KernelState.FIN_WAIT_1 for client in clients))
            return stuck, time.perf_counter() - began


def _proxy(server: socket.socket, technique: str) -> contextlib.AbstractAsyncContextManager[finproxy.Proxy]:
    rule = "client.fin -> hold at wire"
    return finproxy.open_proxy(server.getsockname(), [rule], wire=technique, grace=0)


async def _held(
    proxy: finproxy.Proxy, server: socket.socket, technique: str, stack: contextlib.ExitStack
) -> socket.socket:
    """A client whose FIN is on its way to be held, once its session is open."""
    sessions = len(proxy.sessions)
    client = stack.enter_context(socket.create_connection(proxy.address))
    await _until(lambda: len(proxy.sessions) > sessions)
    stack.enter_context(server.accept()[0])
    if technique == "zero-window":
        client.sendall(bytes(_PENDING))
    client.shutdown(socket.SHUT_WR)
    return client


async def _until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not holds():
            await trio.lowlevel.checkpoint()


def _serve_for_ever(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return  # the benchmark is over and the listener closed
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    """Answer each small message; swallow large ones and answer their end."""
    with connection, contextlib.suppress(ConnectionError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(MIB):
            if len(data) == 64:
                connection.sendall(data)
        connection.sendall(b"all")


def _ratio(
    work: Callable[[socket.socket], None], plain: tuple[str, int], prepared: tuple[str, int], rounds: int
) -> float:
    """The median of the ratios of neighbouring rounds: noise that lasts longer hits both alike."""
    for address in (plain, prepared):
        _timed(work, address)  # to warm up
    return statistics.median(_timed(work, plain) / _timed(work, prepared) for _ in range(rounds))


def _timed(work: Callable[[socket.socket], None], address: tuple[str, int]) -> float:
    with socket.create_connection(address) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        work(client)
        return time.perf_counter() - began


def _bulk(client: socket.socket) -> None:
    piece = bytes(MIB)
    for _ in range(_BULK // MIB):
        client.sendall(piece)
    client.shutdown(socket.SHUT_WR)
    while client.recv(MIB):
        pass


def _small(client: socket.socket) -> None:
    message = bytes(64)
    for _ in range(_MESSAGES):
        client.sendall(message)
        client.recv(64)
