"""The command `finproxy agent`: an agent until SIGINT or SIGTERM.

This module must not parse arguments.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trio

import finproxy
from harness.agent.agent import serve_agent


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    listen: tuple[str, int]
    ports: tuple[int, ...] = ()
    token_file: Path | None = None
    hosts: tuple[str, ...] = ()
    allow_signals: bool = False


def run_agent(options: Options, out: Callable[[str], None]) -> None:
    """Serve until a signal; `out` is given the lines that say where and what."""
    token = finproxy.read_token(options.token_file) if options.token_file else None
    for warning in _warnings(options):
        out(f"warning: {warning}")
    trio.run(_run, options, token, out)


async def _run(options: Options, token: str | None, out: Callable[[str], None]) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with serve_agent(
            options.listen,
            ports=options.ports,
            token=token,
            hosts=options.hosts,
            allow_signals=options.allow_signals,
        ) as (host, port):
            what = (
                f"connections of port {', '.join(map(str, options.ports))}"
                if options.ports
                else "all connections"
            )
            out(f"agent: {what} of this network namespace on http://{host}:{port}")
            await anext(signals)


def _warnings(options: Options) -> list[str]:
    """What somebody else on the network could do."""
    is_open = options.token_file is None and options.listen[0] not in {"127.0.0.1", "::1", "localhost"}
    if not is_open:
        return []
    can = "see its connections" + (" and end its programs" if options.allow_signals else "")
    return [
        f"whoever reaches {options.listen[0]}:{options.listen[1]} can {can}; --token-file asks for a token"
    ]
