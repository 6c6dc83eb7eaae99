"""A finproxy with an API, a server behind it, and the load generators: what all parts of the benchmark use.

Whoever calls, transfers and answers is a process of its own, in C; on a machine of few cores they share them.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ...support.served import Served, serving
from ..relay import measures
from ..relay.run import SOURCE as RELAY_SOURCE
from ..relay.run import compiled, serving_load

SOURCE = Path(__file__).with_name("load.c")


@dataclass
class Stage:
    """What there is to measure with."""

    served: Served
    load: Path
    """This benchmark's load generator."""
    relay_load: Path
    """That of the relay's benchmark."""
    elsewhere: Served
    """Another finproxy, that has nothing to do."""
    proxy: int
    """The port of the proxy `web`, which leads to a server that echoes."""
    process: psutil.Process = field(init=False)

    def __post_init__(self) -> None:
        self.process = psutil.Process(self.served.process.pid)

    def start(self, *arguments: object, program: Path | None = None) -> subprocess.Popen[str]:
        """Start a load generator."""
        command = [str(program or self.load), *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments: object, program: Path | None = None) -> dict[str, float]:
        """Run a load generator to its end; its figures."""
        return figures(self.start(*arguments, program=program))

    def processor_seconds(self) -> float:
        """What finproxy has used so far."""
        times = self.process.cpu_times()
        return times.user + times.system


def figures(load: subprocess.Popen[str]) -> dict[str, float]:
    """What a load generator has found out, at its end."""
    out, err = load.communicate(timeout=60)
    if load.returncode:
        raise RuntimeError(f"{load.args!r}: {err.strip()}")
    return measures.figures(out)


@contextmanager
def stage() -> Iterator[Stage]:
    """Everything that is measured with, for the length of a block."""
    with ExitStack() as stack:
        load, relay_load = (stack.enter_context(compiled(source)) for source in (SOURCE, RELAY_SOURCE))
        upstream = stack.enter_context(serving_load(relay_load))
        served, elsewhere = (stack.enter_context(serving()) for _ in range(2))
        where = [_with_a_proxy(each, upstream) for each in (served, elsewhere)]
        yield Stage(served, load, relay_load, elsewhere, where[0])


def _with_a_proxy(served: Served, upstream: int) -> int:
    # What it prints of sessions has to be read, or it would wait for room in the pipe.
    assert served.process.stderr
    threading.Thread(target=served.process.stderr.read, daemon=True).start()
    where = served.says("create", "web", "0", f"127.0.0.1:{upstream}").strip()
    return int(where.rpartition(":")[2])
