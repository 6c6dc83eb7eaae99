"""Paints a ladder diagram as one self-contained SVG without script, light or dark as the viewer wishes.

Time runs downwards line by line, not to scale: microseconds and minutes meet in one diagram, and the times
stand at the margin. This module must not know where a diagram comes from.
"""

from collections.abc import Iterator
from html import escape

from harness.drawing.diagram import Arrow, Diagram, Line, StateMark
from harness.ladders.ladder import format_duration

_MARGIN, _LANE, _LINE, _HEAD = 90, 190, 30, 92
_BOX_WIDTH, _BOX_HEIGHT = 122, 22
_CHARACTER = 8  # no narrower than a character of the 13 px monospaced fonts
# An arrow leaves a little above where it arrives: it takes time.
_SLANT = 8

# Presentation that old viewers understand comes first; the dark half is an override where it is understood.
_STYLE = """
  .paper { fill: #ffffff; }
  text { font: 13px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328; }
  .title { font-size: 15px; font-weight: bold; }
  .faint { fill: #59636e; }
  .lane { stroke: #afb8c1; stroke-width: 1; }
  .state { fill: #ddf4ff; stroke: #0969da; }
  .inferred { fill: #ffffff; stroke: #59636e; stroke-dasharray: 4 3; }
  .ACK { stroke: #59636e; }
  .FIN { stroke: #0969da; stroke-width: 2; }
  .RST { stroke: #cf222e; stroke-width: 2; }
  path.ACK { fill: #59636e; }
  path.FIN { fill: #0969da; }
  path.RST { fill: #cf222e; }
"""
_DARK = """
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; }
    text { fill: #e6edf3; }
    .faint { fill: #9198a1; }
    .lane { stroke: #4a525c; }
    .state { fill: #12315a; stroke: #4493f8; }
    .inferred { fill: #0d1117; stroke: #9198a1; }
    .ACK { stroke: #9198a1; } .FIN { stroke: #4493f8; } .RST { stroke: #f85149; }
    path.ACK { fill: #9198a1; } path.FIN { fill: #4493f8; } path.RST { fill: #f85149; }
  }
"""
STYLE = _STYLE + _DARK
"""What all drawings of ladders look like."""


def draw_svg(diagram: Diagram) -> str:
    """Return the diagram as an SVG document."""
    width = _MARGIN + _LANE * len(diagram.columns)
    height = _HEAD + _LINE * len(diagram.lines) + _LINE
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(diagram.title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            *_head(diagram, height),
            *(part for index, line in enumerate(diagram.lines) for part in _line(line, index, diagram)),
            "</svg>\n",
        )
    )


def _centre(column: int) -> float:
    return _MARGIN + _LANE * column + _LANE / 2


def _head(diagram: Diagram, height: int) -> Iterator[str]:
    yield _text(16, 26, diagram.title, "title", "start")
    for index, column in enumerate(diagram.columns):
        yield _text(_centre(index), 56, column.name, "title")
        yield _text(_centre(index), 74, column.address, "faint")
        yield f'<line class="lane" x1="{_centre(index)}" y1="82" x2="{_centre(index)}" y2="{height - 12}"/>'


def _line(line: Line, index: int, diagram: Diagram) -> Iterator[str]:
    y = _HEAD + _LINE * index + _LINE / 2
    before = diagram.lines[index - 1] if index else None
    if before is None or _time(before) != _time(line):
        yield _text(_MARGIN - 12, y + 4, _time(line), "faint", "end")
    if line.remark:
        yield from _remark(line.remark, _MARGIN + _LANE * len(diagram.columns) / 2, y)
    if line.arrow is not None:
        yield from _arrow(line.arrow, y)
    for mark in line.states:
        yield from _state(mark, y)


def _remark(remark: str, centre: float, y: float) -> Iterator[str]:
    """Write in the middle, where the proxy is, on a strip of paper so that no lane crosses the text out."""
    width = _CHARACTER * (len(remark) + 1)
    yield (
        f'<rect class="paper" x="{centre - width / 2}" y="{y - _BOX_HEIGHT / 2}" width="{width}" '
        f'height="{_BOX_HEIGHT}"/>'
    )
    yield _text(centre, y + 4, remark, "faint")


def _state(mark: StateMark, y: float) -> Iterator[str]:
    centre = _centre(mark.column)
    kind = "inferred" if mark.is_inferred else "state"
    yield (
        f'<rect class="{kind}" x="{centre - _BOX_WIDTH / 2}" y="{y - _BOX_HEIGHT / 2}" width="{_BOX_WIDTH}" '
        f'height="{_BOX_HEIGHT}" rx="5"/>'
    )
    yield _text(centre, y + 4, str(mark.state))


def _arrow(arrow: Arrow, y: float) -> Iterator[str]:
    start, end = _centre(arrow.sender), _centre(arrow.receiver)
    towards = 1 if end > start else -1
    tip = y + _SLANT / 2
    kind = escape(arrow.label)
    reach = end - (14 if arrow.is_kept_out else 9) * towards
    yield f'<line class="{kind}" x1="{start}" y1="{y - _SLANT / 2}" x2="{reach}" y2="{tip}"/>'
    if arrow.is_kept_out:
        stop = end - 14 * towards
        yield f'<path class="{kind}" d="M{stop - 5} {tip - 6} l10 10 m0 -10 l-10 10"/>'
    else:
        yield f'<path class="{kind}" d="M{end} {tip} l{-10 * towards} -5 v10 z"/>'
    yield _text((start + end) / 2, y - 5, arrow.label)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _time(line: Line) -> str:
    return "0" if line.at <= 0 else format_duration(line.at)
