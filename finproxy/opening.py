"""Opens proxies: puts listener, wait, timers, technique and server together, and takes them apart again.

The front door of the library. This module must not know what sessions do, nor any command line.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio

from . import sockets
from .addresses import parse_listen, parse_upstream
from .legs import Address, Leg
from .notation import parse_rule
from .observers import Recorder
from .readiness import Readiness, best_readiness
from .records import Observer
from .rules import Rule
from .server import Proxy
from .settings import Settings
from .shell import Surroundings
from .timers import Timers
from .toxics.values import Toxic
from .wire_watch import WireWatch, open_watch


@asynccontextmanager
async def open_proxy(
    upstream: str | Address,
    rules: Iterable[str | Rule] = (),
    *,
    toxics: Iterable[Toxic] = (),
    listen: str | Address = "0",
    observers: Iterable[Observer] = (),
    readiness: Readiness | None = None,
    **settings: Any,
) -> AsyncIterator[Proxy]:
    """Run a proxy in front of `upstream` for as long as the block lasts.

    Args:
        upstream: ``"127.0.0.1:80"``, or host and port.
        rules: in the notation or as values; the first that matches wins.
        toxics: what is done to the bytes, in the order in which they pass (finproxy.toxics).
        listen: where; by default a free port on the loopback interface.
        observers: are told every record, in order, from the first one on.
        readiness: how to wait for sockets; by default the fastest way that the system has.
        settings: the other fields of `Settings`, such as ``seed`` or ``max_sessions``.

    Raises:
        NotationError: a rule is not in the notation.
        ToxicError: two toxics have the same name.
        AddressError: an address is not one.
        WireError: no technique can serve a rule at wire here; says what is missing.
        ListenError: the port is taken or reserved.
    """
    prepared = Settings(
        upstream=parse_upstream(upstream) if isinstance(upstream, str) else upstream,
        listen=parse_listen(listen) if isinstance(listen, str) else listen,
        rules=tuple(parse_rule(rule) if isinstance(rule, str) else rule for rule in rules),
        toxics=tuple(toxics),
        **settings,
    )
    async with serve(prepared, Recorder(observers), readiness) as proxy:
        yield proxy


@asynccontextmanager
async def serve(
    settings: Settings, recorder: Recorder, readiness: Readiness | None = None
) -> AsyncIterator[Proxy]:
    """The same, from settings that have been checked already."""
    wire = await open_watch(settings.rules, settings.wire)
    try:
        async with _running(settings, recorder, readiness or best_readiness(), wire) as proxy:
            yield proxy
    finally:
        if wire:
            wire.close()


@asynccontextmanager
async def _running(
    settings: Settings, recorder: Recorder, readiness: Readiness, wire: WireWatch | None
) -> AsyncIterator[Proxy]:
    listener = sockets.listen(settings.listen, partial(wire.prepare, Leg.CLIENT) if wire else None)
    timers = Timers()
    around = Surroundings(readiness, timers, recorder, settings.name, settings.delivery_limit, wire)
    proxy = Proxy(settings, listener, around)
    proxy.announce()
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(readiness.run)
        nursery.start_soon(timers.run)
        if wire:
            nursery.start_soon(wire.run)
        nursery.start_soon(proxy.run)
        try:
            yield proxy
        except BaseException as error:
            failure = error
        with trio.CancelScope(shield=True):
            await proxy.stop(0 if failure else None)
        nursery.cancel_scope.cancel()
    if failure:
        raise failure
