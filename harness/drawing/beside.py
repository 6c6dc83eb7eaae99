"""Paints one end's expected ladder beside the observed one, as a self-contained SVG.

An expectation that is no ladder but a sentence stands there as a sentence. This module must not know how a
ladder is matched.
"""

import textwrap
from collections.abc import Iterator, Sequence
from html import escape

from harness.drawing.svg import STYLE

_COLUMN, _RUNG, _HEAD, _BOX_WIDTH, _BOX_HEIGHT = 190, 36, 66, 140, 24
_CHARACTERS = 22
_LINE = 18


def draw_beside(end: str, expected: str, observed: Sequence[str]) -> str:
    """The drawing. `expected` is a ladder such as ``ESTABLISHED > CLOSE-WAIT``, or a sentence."""
    wanted = [rung.strip() for rung in expected.split(">")] if ">" in expected else []
    said = [] if wanted else textwrap.wrap(expected, _CHARACTERS) or ["-"]
    height = _HEAD + max(len(wanted) * _RUNG, len(observed) * _RUNG, len(said) * _LINE, _RUNG) + 8
    width = 2 * _COLUMN
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(end)}: expected beside observed</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        f'<text class="title" x="14" y="24">{escape(end)}</text>',
        *(
            _text(_centre(column), 50, title, "faint")
            for column, title in enumerate(("expected", "observed"))
        ),
        *_ladder(0, wanted, "inferred"),
        *(_text(_centre(0), _HEAD + 14 + _LINE * index, line) for index, line in enumerate(said)),
        *_ladder(1, observed or ["nothing"], "state"),
        "</svg>",
    ]
    return "\n".join(parts)


def _ladder(column: int, rungs: Sequence[str], kind: str) -> Iterator[str]:
    x = _centre(column)
    for index, rung in enumerate(rungs):
        y = _HEAD + _RUNG * index
        if index:
            yield f'<line class="lane" x1="{x}" y1="{y - _RUNG + _BOX_HEIGHT}" x2="{x}" y2="{y}"/>'
        yield (
            f'<rect class="{kind}" x="{x - _BOX_WIDTH / 2}" y="{y}" width="{_BOX_WIDTH}" '
            f'height="{_BOX_HEIGHT}" rx="5"/>'
        )
        yield _text(x, y + 16, rung)


def _centre(column: int) -> float:
    return _COLUMN * column + _COLUMN / 2


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="middle">{escape(text)}</text>'
