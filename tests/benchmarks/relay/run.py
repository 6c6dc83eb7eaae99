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

from . import chart, measures, peers

SOURCE = Path(__file__).with_name("loadgen.c")
DIRECT = "direct"
Figures = dict[tuple[str, str], list[float]]
"""By measure and relay: a figure a round."""


def main(arguments: list[str]) -> None:
    """Measure, and print a table in Markdown."""
    options = _options(arguments)
    with ExitStack() as stack:
        generator = stack.enter_context(compiled(SOURCE))
        ways = {DIRECT: measures.Way(stack.enter_context(serving_load(generator)))}
        for peer in peers.present():
            # A server of its own: thousands of sessions in TIME-WAIT make the next dial to the same port
            # search long for one of its own, and whoever is measured next would pay for that.
            server = stack.enter_context(serving_load(generator))
            peer_port, process = stack.enter_context(peers.running(peer, server))
            ways[peer.name] = measures.Way(peer_port, psutil.Process(process.pid), peer.forks)
        figures = _measure(generator, ways, options.rounds)
    print(table(figures, list(ways)))
    print("\nfinproxy's rates and costs by each peer's (1: equal)\n")
    print(ratios(figures, list(ways)))
    if options.chart:
        options.chart.write_text(chart.draw(shares(figures, list(ways)), [n for n in ways if n != DIRECT]))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks relay", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds through all relays (default 5)")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the rates into this SVG as well")
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


def ratios(figures: Figures, names: list[str]) -> str:
    """Finproxy's medians divided by each peer's, in Markdown."""
    others = [name for name in names if name not in (DIRECT, peers.FINPROXY.name)]
    lines = ["| | " + " | ".join(others) + " | better is |", "|---" * (len(others) + 2) + "|"]
    for measure in measures.MEASURES:
        cells = [_ratio(figures, measure, peers.FINPROXY.name, name) for name in others]
        better = "more" if measure.more_is_better else "less"
        lines.append(f"| {measure.name} | {' | '.join(f'{c:.2f}' if c else '' for c in cells)} | {better} |")
    return "\n".join(lines)


def shares(figures: Figures, names: list[str]) -> chart.Shares:
    """Each rate through each relay as a share of the direct connection's."""
    found: dict[str, dict[str, float]] = {}
    for measure in measures.MEASURES:
        for name in names:
            if measure.more_is_better and name != DIRECT and (r := _ratio(figures, measure, name, DIRECT)):
                found.setdefault(measure.name, {})[name] = r
    return found


def _ratio(figures: Figures, measure: measures.Measure, name: str, to: str) -> float | None:
    one, other = (figures.get((measure.name, which)) for which in (name, to))
    return statistics.median(one) / statistics.median(other) if one and other else None


def _cell(figures: Figures, measure: measures.Measure, name: str) -> str:
    if (measure.name, name) not in figures:
        return ""
    median = statistics.median(figures[measure.name, name])
    to_direct = _ratio(figures, measure, name, DIRECT) if name != DIRECT else None
    ratio = f" ({to_direct:.2f})" if to_direct else ""
    return (f"{median:,.0f}" if median >= 100 else f"{median:.3g}") + ratio


@contextmanager
def compiled(source: Path) -> Iterator[Path]:
    """A load generator, compiled."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, source.stem)
        subprocess.run(["cc", "-O2", "-w", "-o", str(program), str(source)], check=True)
        yield program


@contextmanager
def serving_load(generator: Path) -> Iterator[int]:
    """The server at the other end; yields its port."""
    with subprocess.Popen([str(generator), "serve"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline().split()[1])
        finally:
            server.kill()


if __name__ == "__main__":
    main(sys.argv[1:])
