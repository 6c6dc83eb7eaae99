"""Runs all measures through all relays in turn, several rounds interleaved, and prints medians and ratios."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from rich.progress import Progress

from . import measures, peers

DIRECT = "direct"
Figures = dict[tuple[str, str], list[float]]
"""By measure and relay: a figure a round."""


def main(arguments: list[str]) -> None:
    """Measure, and print a table in Markdown."""
    options = _options(arguments)
    with ExitStack() as stack:
        generator = stack.enter_context(load_generator())
        port = stack.enter_context(_serving(generator))
        ways = {DIRECT: measures.Way(port)}
        for peer in peers.present():
            peer_port, process = stack.enter_context(peers.running(peer, port))
            ways[peer.name] = measures.Way(peer_port, psutil.Process(process.pid), peer.forks)
        figures = _measure(generator, ways, options.rounds)
    print(table(figures, list(ways)))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks relay", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds through all relays (default 5)")
    return parser.parse_args(arguments)


def _measure(generator: Path, ways: dict[str, measures.Way], rounds: int) -> Figures:
    figures: Figures = {}
    with Progress(transient=True) as progress:
        task = progress.add_task("measuring", total=rounds * len(measures.MEASURES) * len(ways))
        for _ in range(rounds):
            for measure in measures.MEASURES:
                for name, way in ways.items():
                    progress.update(task, advance=1, description=f"{measure.name}: {name}")
                    if (figure := measure.take(generator, way)) is not None:
                        figures.setdefault((measure.name, name), []).append(figure)
    return figures


def table(figures: Figures, names: list[str]) -> str:
    """Medians in Markdown, each with its ratio to the direct connection in parentheses."""
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for measure in measures.MEASURES:
        cells = [_cell(figures, measure, name) for name in names]
        lines.append(f"| {measure.name} ({measure.unit}) | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(figures: Figures, measure: measures.Measure, name: str) -> str:
    if (measure.name, name) not in figures:
        return ""
    median = statistics.median(figures[measure.name, name])
    direct = figures.get((measure.name, DIRECT))
    ratio = f" ({median / statistics.median(direct):.2f})" if direct and name != DIRECT else ""
    return (f"{median:,.0f}" if median >= 100 else f"{median:.3g}") + ratio


@contextmanager
def load_generator() -> Iterator[Path]:
    """Compile the load generator."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "loadgen")
        source = Path(__file__).with_name("loadgen.c")
        subprocess.run(["cc", "-O2", "-w", "-o", str(program), str(source)], check=True)
        yield program


@contextmanager
def _serving(generator: Path) -> Iterator[int]:
    with subprocess.Popen([str(generator), "serve"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline().split()[1])
        finally:
            server.kill()


if __name__ == "__main__":
    main(sys.argv[1:])
