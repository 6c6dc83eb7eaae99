"""What the plugin adds to pytest's start: ``python -m tests.benchmarks.plugin [RUNS]``.

Runs pytest on one empty test, in turn with and without the plugin, and compares the least processor time,
which other work on the machine disturbs least; and asks a fresh Python how much importing the plugin takes
once pytest is there.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT = 0.020
"""Seconds of processor time that it may add."""

_IMPORT = """
import time, pytest
began = time.process_time()
import finproxy.pytest_plugin
print(time.process_time() - began)
"""


def main(runs: int = 20) -> int:
    """Print the least processor times in milliseconds; 1 if the plugin adds more than it may."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_empty.py").write_text("def test_empty(): pass\n", encoding="utf-8")
        took: dict[str, list[float]] = {"with": [], "without": []}
        for _ in range(runs):
            took["with"].append(_time_pytest(folder))
            took["without"].append(_time_pytest(folder, "-p", "no:finproxy"))
    best = {name: min(times) for name, times in took.items()}
    added = best["with"] - best["without"]
    imported = min(_time_import() for _ in range(runs))
    for name, seconds in (*best.items(), ("added", added), ("import alone", imported)):
        print(f"{name:>12}: {seconds * 1000:7.1f} ms")
    return int(added > LIMIT)


def _time_pytest(folder: str, *arguments: str) -> float:
    began = _children_time()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return _children_time() - began


def _children_time() -> float:
    """Seconds of processor time that this process's children have used, once they have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _time_import() -> float:
    done = subprocess.run([sys.executable, "-c", _IMPORT], check=True, capture_output=True, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
