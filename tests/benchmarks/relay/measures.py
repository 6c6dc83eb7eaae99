"""What is measured: one number each, from the load generator's output or from the kernel's accounting.

This module must not know which relay it measures.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

SECONDS = 1.5
MIB = 1024
IDLE_SESSIONS = 5000


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the server: directly, or through a relay."""

    port: int
    process: psutil.Process | None = None
    """The relay; None where there is none."""
    forks: bool = False
    """It makes a process for each session, of which there cannot be thousands."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure: how it is called, its unit, and whether more is better."""

    name: str
    unit: str
    more_is_better: bool
    take: Callable[[Path, Way], float | None]
    """Given the load generator; None where it does not apply."""


def load(generator: Path, *arguments: object) -> dict[str, float]:
    """Run the load generator; its figures by name."""
    command = [str(generator), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return figures(done.stdout)


def figures(printed: str) -> dict[str, float]:
    """What a load generator has printed, by name."""
    return {name: float(value) for name, value in (line.split() for line in printed.splitlines())}


def _loaded(figure: str, *arguments: object) -> Callable[[Path, Way], float]:
    def take(generator: Path, way: Way) -> float:
        what, *rest = arguments
        return load(generator, what, way.port, *rest)[figure]

    return take


def _cpu_per_gib(generator: Path, way: Way) -> float | None:
    if (process := way.process) is None:
        return None
    before = _cpu_seconds(process)
    load(generator, "bulk", way.port, MIB, 1)
    return (_cpu_seconds(process) - before) * 1024 / MIB


def _cpu_per_1000_sessions(generator: Path, way: Way) -> float | None:
    if (process := way.process) is None:
        return None
    before = _cpu_seconds(process)
    done = load(generator, "sessions", way.port, SECONDS, 4)["sessions_per_s"] * SECONDS
    return (_cpu_seconds(process) - before) * 1000 / done


def _memory_per_idle_session(generator: Path, way: Way) -> float | None:
    if (process := way.process) is None or way.forks:
        return None  # a process for each session has no memory of one session to speak of
    before = _memory(process)
    command = [str(generator), "idle", str(way.port), str(IDLE_SESSIONS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as crowd:
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        opened = crowd.stdout.readline()
        used = _memory(process) - before
        crowd.stdin.close()
    return used / 1024 / IDLE_SESSIONS if opened.startswith(b"open") else None


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _cpu_seconds(process: psutil.Process) -> float:
    times = [member.cpu_times() for member in _family(process)]
    ended = process.cpu_times()
    return sum(t.user + t.system for t in times) + ended.children_user + ended.children_system


def _memory(process: psutil.Process) -> int:
    return sum(int(member.memory_info().rss) for member in _family(process))


MEASURES = (
    Measure("idle round trip, p50", "us", False, _loaded("rtt_p50_us", "rtt", SECONDS)),
    Measure("idle round trip, p99", "us", False, _loaded("rtt_p99_us", "rtt", SECONDS)),
    Measure("messages on 8 connections", "/s", True, _loaded("messages_per_s", "messages", SECONDS, 8)),
    Measure("messages on 64 connections", "/s", True, _loaded("messages_per_s", "messages", SECONDS, 64)),
    Measure("sessions, 4 at once", "/s", True, _loaded("sessions_per_s", "sessions", SECONDS, 4)),
    Measure("bulk, one way", "Gbit/s", True, _loaded("gbit_per_s", "bulk", MIB, 1)),
    Measure("bulk, both ways", "Gbit/s", True, _loaded("gbit_per_s", "bulk", MIB, 2)),
    Measure("CPU per GiB", "s", False, _cpu_per_gib),
    Measure("CPU per 1,000 sessions", "s", False, _cpu_per_1000_sessions),
    Measure("memory per idle session", "KiB", False, _memory_per_idle_session),
)
assert os.name == "posix", "the figures come from /proc and epoll"
