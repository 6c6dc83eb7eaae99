"""Clocks of two processes, compared over a pretended wire."""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.remote.clock import Clock, compare_clocks


def clock_ahead_by(seconds: float) -> Callable[[], float]:
    return lambda: time.monotonic() + seconds


def test_on_one_host_it_is_the_same_clock() -> None:
    assert compare_clocks(time.monotonic, is_same_host=True) == Clock(0.0, 0.0)


def test_on_another_host_it_is_measured() -> None:
    clock = compare_clocks(clock_ahead_by(1000.0), is_same_host=False)

    assert abs(clock.shift + 1000.0) <= clock.error
    assert clock.error < 1.0


def test_a_time_namespace_on_the_same_host_is_found_out() -> None:
    clock = compare_clocks(clock_ahead_by(-50.0), is_same_host=True)

    assert abs(clock.shift - 50.0) <= clock.error
