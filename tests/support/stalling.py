"""Bulk to a reader that stalls until the sender stands still, when all buffers on the way are full."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import trio

from .peers import Peer, patience


class Standstill:
    """Lets a reader wait until the sender has no room left, or nothing left to send."""

    def __init__(self) -> None:
        self._reached = trio.Event()

    def reached(self) -> None:
        self._reached.set()

    def over(self) -> None:
        self._reached = trio.Event()

    async def wait(self) -> None:
        with patience("a sender that stands still"):
            await self._reached.wait()


async def send_pieces(peer: Peer, pieces: Iterable[bytes | memoryview], standstill: Standstill) -> None:
    """Send all of them, and a FIN."""
    for piece in pieces:
        if rest := peer.send_now(piece):
            standstill.reached()
            await peer.send(bytes(rest))
            standstill.over()
    peer.fin()
    standstill.reached()


async def receive_stalling(
    peer: Peer, sizes: Iterator[int], standstill: Standstill, *, stall_every: int
) -> str:
    """The SHA-256 of everything up to the FIN, read in pieces of at most these sizes."""
    digest, count, stall_at = hashlib.sha256(), 0, stall_every
    while some := await peer.receive_some(next(sizes)):
        digest.update(some)
        count += len(some)
        if count >= stall_at:
            stall_at += stall_every
            await standstill.wait()
    return digest.hexdigest()
