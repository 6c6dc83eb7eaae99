"""Runs proxies for a command line: signals, grace, and what people are told meanwhile.

This module must not parse arguments or know exit codes.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass

import trio
from rich.console import Console

from .addresses import format_address
from .console import SessionLines, show_held
from .observers import Recorder
from .opening import serve
from .records import Observer
from .server import Proxy
from .settings import Settings
from .units import counted, format_duration

_STOPS = (signal.SIGINT, signal.SIGTERM)
_RELEASES = (signal.SIGUSR1,) if hasattr(signal, "SIGUSR1") else ()


@dataclass(frozen=True, slots=True)
class Output:
    """Where people read what happens."""

    console: Console
    quiet: bool = False
    verbose: bool = False


async def run_proxies(proxies: Sequence[Settings], observers: Sequence[Observer], output: Output) -> None:
    """Run until SIGINT or SIGTERM; then let sessions finish for their grace, and abort what is left.

    A second signal is immediate. SIGUSR1, where the system has it, lets go everything that is held.

    Raises:
        ListenError: a port cannot be opened. Those opened before are closed again.
    """
    lines = SessionLines(output.console, verbose=output.verbose)
    recorder = Recorder([*observers, *([] if output.quiet else [lines])])
    with listening_for_signals() as signals:
        async with AsyncExitStack() as stack:
            running = [await stack.enter_async_context(serve(settings, recorder)) for settings in proxies]
            announce(running, output)
            await until_stopped(signals, lambda: running, lines, output)


def listening_for_signals() -> AbstractContextManager[AsyncIterator[int]]:
    """The signals that steer a run, caught from here on."""
    return trio.open_signal_receiver(*_STOPS, *_RELEASES)


async def until_stopped(
    signals: AsyncIterator[int],
    running: Callable[[], Sequence[Proxy]],
    lines: SessionLines,
    output: Output,
) -> None:
    """Wait for the signal to stop, then stop what is `running` by then."""
    async with trio.open_nursery() as nursery:
        if output.console.is_terminal and not output.quiet:
            nursery.start_soon(show_held, output.console, lines)
        await _until_a_stop(signals, running, output)
        nursery.start_soon(_second_stop, signals, nursery.cancel_scope)
        await _stop(running(), output)
        nursery.cancel_scope.cancel()
    await _stop(running(), output, at_once=True)


async def _until_a_stop(
    signals: AsyncIterator[int], running: Callable[[], Sequence[Proxy]], output: Output
) -> None:
    async for number in signals:
        if number not in _RELEASES:
            return
        released = sum([await proxy.release_all() for proxy in running()])
        if not output.quiet:
            output.console.print(
                f"released {counted(released, 'held end')}" if released else "nothing is held"
            )


async def _second_stop(signals: AsyncIterator[int], stopping: trio.CancelScope) -> None:
    async for number in signals:
        if number in _STOPS:
            stopping.cancel()


async def _stop(running: Sequence[Proxy], output: Output, *, at_once: bool = False) -> None:
    """Stop all proxies together, and say which sessions had to be aborted."""
    live = sum(len(proxy.sessions) for proxy in running)
    if live and not at_once and not output.quiet:
        grace = max(proxy.settings.grace for proxy in running)
        output.console.print(
            f"stopping: {counted(live, 'live session')} may take up to {format_duration(grace)} to finish; "
            "a second signal aborts them at once"
        )
    async with trio.open_nursery() as nursery:
        for proxy in running:
            nursery.start_soon(_stop_one, proxy, output, 0.0 if at_once else None)


async def _stop_one(proxy: Proxy, output: Output, grace: float | None) -> None:
    aborted = await proxy.stop(grace)
    if aborted:
        output.console.print(
            f"{_name(proxy)}: aborted {counted(len(aborted), 'session')} that had not finished"
        )


def announce(running: Sequence[Proxy], output: Output) -> None:
    """Say where each proxy listens, and what it does."""
    if output.quiet:
        return
    for proxy in running:
        upstream = format_address(proxy.settings.upstream)
        output.console.print(
            f"{_name(proxy)}: listening on {proxy.url}, relaying to {upstream}", soft_wrap=True
        )
        for rule in proxy.settings.rules:
            output.console.print(f"  rule: {rule}", markup=False, soft_wrap=True)
        output.console.print(f"  seed: {proxy.settings.seed}  (--seed repeats this run)", soft_wrap=True)


def _name(proxy: Proxy) -> str:
    return proxy.settings.name or "finproxy"
