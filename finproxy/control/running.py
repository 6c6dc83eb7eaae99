"""Runs proxies with an API for a command line, until a signal; and opens an API for whoever has proxies.

This module must not parse arguments or know exit codes.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from ..addresses import format_address
from ..console import SessionLines
from ..legs import Address
from ..metrics import Metrics
from ..observers import Recorder
from ..records import Record
from ..runner import Output, announce, listening_for_signals, until_stopped
from ..web.serving import serve_http
from .application import application
from .proxies import Proxies, open_proxies
from .ring import RecordRing
from .settings import ApiSettings, Household


async def run_with_api(household: Household, output: Output) -> None:
    """Run until SIGINT or SIGTERM; the API goes on while sessions have their grace, so they can be released.

    Raises:
        ListenError: a port cannot be opened. Those opened before are closed again.
    """
    lines = SessionLines(output.console, verbose=output.verbose)
    recorder = Recorder([*household.observers, *([] if output.quiet else [lines])])
    with listening_for_signals() as signals:
        async with open_api(household, recorder) as (proxies, address):
            announce(proxies.running(), output)
            _announce_api(address, household.api, output)
            await until_stopped(signals, proxies.running, lines, output)


@asynccontextmanager
async def open_api(household: Household, recorder: Recorder) -> AsyncIterator[tuple[Proxies, Address]]:
    """The proxies of a household, and the address at which they can be steered, while the block lasts."""
    ring = RecordRing()
    recorder.add(ring)
    async with open_proxies(recorder, household.api.proxy_host) as proxies:
        metrics = Metrics(proxies.all)
        recorder.add(metrics)
        proxies.when_deleted += [ring.forget_proxy, metrics.forget_proxy]
        for wanted in household.proxies:
            await proxies.create(wanted.settings, wanted.listen, wanted.upstream, enabled=wanted.enabled)
        app = application(
            household.api,
            proxies,
            ring,
            metrics,
            created=household.created,
            dropped=partial(_reader_dropped, recorder),
            examine=household.examine,
        )
        async with serve_http(app, household.api.listen) as address:
            try:
                yield proxies, address
            finally:
                ring.feed.close()  # so that whoever follows it sees an end, and not a break


def _reader_dropped(recorder: Recorder, why: str) -> None:
    recorder.emit(Record("reader.dropped", 0.0, time.time(), fields={"why": why}))


def _announce_api(address: Address, settings: ApiSettings, output: Output) -> None:
    if not output.quiet:
        output.console.print(f"API: http://{format_address(address)}  (docs at /v1/docs)", soft_wrap=True)
    if settings.token_file is None and not ipaddress.ip_address(address[0]).is_loopback:
        # Also where it is quiet: whoever reaches this address can have connections made in our name.
        output.console.print(
            f"warning: anybody who reaches {format_address(address)} can drive this API; "
            "--api-token-file FILE asks for a token",
            style="bold yellow",
            soft_wrap=True,
        )
