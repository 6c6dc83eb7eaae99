"""What calls cost, and what they cost the sessions beside them, which is asked in two ways.

*At a given rate* the proxy could do more than the sessions ask for: so it is in a test environment.
*As fast as it goes* they take all that the proxy's one thread gives, and a call takes its time from them.
Whoever calls takes time as well, of the same processors: what calls to another finproxy do to the sessions.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TypeAlias

from .stage import Stage, figures

Figures: TypeAlias = dict[str, float]

_PATH = "/proxies/web"
_SECONDS = 2.0
_ROUNDS = 3
_CALLERS = 8
_SESSIONS = 100
_MESSAGE = 16_384
_RATE = 2_000
"""Messages a second of all sessions together, which is 33 MB, there and back."""
_WAYS = {
    "alone": (0, False),
    "200 calls/s": (200, False),
    "1,000 calls/s": (1_000, False),
    "1,000 elsewhere": (1_000, True),
}
"""How many calls a second, and whether to another finproxy."""


def print_calls(stage: Stage) -> None:
    """Print how many calls it takes, and what they cost sessions."""
    for callers in (1, _CALLERS):
        print(f"{callers} caller(s) as fast as it goes, no sessions: {_call_alone(stage, callers)}")
    print(f"{_SESSIONS} sessions echo messages of {_MESSAGE // 1024} KiB; medians of {_ROUNDS} rounds")
    _print_beside(stage, f"{_RATE * _MESSAGE / 1e6:.0f} MB/s there and back", _RATE)
    _print_beside(stage, "as fast as it goes", 0)


def _call_alone(stage: Stage, callers: int) -> str:
    before = stage.processor_seconds()
    found = stage.run("call", stage.served.address[1], _SECONDS, callers, 0, _PATH)
    cost = (stage.processor_seconds() - before) / (found["per_s"] * _SECONDS)
    return f"{found['per_s']:,.0f} calls/s (GET {_PATH}), {1e6 * cost:.0f} us of processor time each"


def _print_beside(stage: Stage, what: str, rate: int) -> None:
    print(f"  {what}")
    ways: dict[str, list[tuple[Figures, Figures | None]]] = {name: [] for name in _WAYS}
    for _ in range(_ROUNDS):  # interleaved, so that what else the machine does meets all of them
        for name, found in ways.items():
            found.append(_transfer(stage, rate, *_WAYS[name]))
    alone = [transfer for transfer, _ in ways["alone"]]
    for name, found in ways.items():
        transfers, made = [transfer for transfer, _ in found], [call for _, call in found if call]
        called = f"; {_called(made)}" if made else ""
        print(f"    {name:>16}: {_transferred(transfers, alone if made else None)}{called}")


def _transfer(stage: Stage, rate: int, calls: int, elsewhere: bool) -> tuple[Figures, Figures | None]:
    api = (stage.elsewhere if elsewhere else stage.served).address[1]
    transfer = stage.start("transfer", stage.proxy, _SECONDS, _SESSIONS, rate, _MESSAGE)
    called = stage.run("call", api, _SECONDS, _CALLERS, calls, _PATH) if calls else None
    return figures(transfer), called


def _median(found: Sequence[Figures], name: str) -> float:
    return statistics.median(one[name] for one in found)


def _transferred(found: Sequence[Figures], alone: Sequence[Figures] | None) -> str:
    return ", ".join(
        f"{label} {show(_median(found, name))}" + (f" ({_change(found, alone, name)})" if alone else "")
        for label, name, show in _SHOWN
    )


def _change(found: Sequence[Figures], alone: Sequence[Figures], name: str) -> str:
    return f"{100 * (_median(found, name) / _median(alone, name) - 1):+.0f} %"


def _called(found: Sequence[Figures]) -> str:
    return f"{_median(found, 'per_s'):,.0f} made, p50 {_median(found, 'p50_us') / 1000:.1f} ms"


_SHOWN: Sequence[tuple[str, str, Callable[[float], str]]] = (
    ("", "per_s", lambda count: f"{count * _MESSAGE / 1e6:6.1f} MB/s"),
    ("p50", "p50_us", lambda us: f"{us / 1000:.2f} ms"),
    ("p99", "p99_us", lambda us: f"{us / 1000:.2f} ms"),
)
