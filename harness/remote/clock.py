"""How another process's monotonic clock runs beside ours: the same on one host, elsewhere measured.

The measure is Cristian's: ask, and take the middle of the round trip; the shortest of several round trips
bounds the error. This module must not know who is asked.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

_TRIPS = 5


@dataclass(frozen=True, slots=True)
class Clock:
    """Add `shift` to a time of the other clock to have it in ours; it may be off by `error` seconds."""

    shift: float = 0.0
    error: float = 0.0


def compare_clocks(read_other: Callable[[], float], *, is_same_host: bool) -> Clock:
    """Measure the other clock. On the same host it is ours, unless the measure proves otherwise.

    It can: a time namespace has a monotonic clock of its own (time_namespaces(7)).
    """
    measured = min((_one_trip(read_other) for _ in range(_TRIPS)), key=lambda clock: clock.error)
    return Clock() if is_same_host and abs(measured.shift) <= measured.error else measured


def _one_trip(read_other: Callable[[], float]) -> Clock:
    asked = time.monotonic()
    other = read_other()
    answered = time.monotonic()
    return Clock((asked + answered) / 2 - other, (answered - asked) / 2)
