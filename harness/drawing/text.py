"""Paints a ladder diagram as text that fits a terminal, readable on dark and on light backgrounds.

Only bold and red are used, which every palette shows on both; without colour nothing is lost. This module
must not know terminals: whoever prints passes width, colour and whether the encoding has box-drawing
characters.
"""

from dataclasses import dataclass

from harness.drawing.diagram import Arrow, Diagram, Line
from harness.ladders.ladder import format_duration

_MARGIN = 10
_NARROWEST_LANE = 14  # the longest state name with a space on each side
_BOLD, _RED, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class _Glyphs:
    lane: str
    shaft: str
    right: str
    left: str
    stop: str


_BOX = _Glyphs("│", "─", "▶", "◀", "╳")  # noqa: RUF001 - no X: it has to join the shaft
_ASCII = _Glyphs("|", "-", ">", "<", "X")


def draw_text(diagram: Diagram, *, width: int = 80, colour: bool = False, ascii_only: bool = False) -> str:
    """Return the diagram in at most `width` columns; too narrow for lanes, as a list of events."""
    lane = (width - _MARGIN) // len(diagram.columns)
    if lane < _NARROWEST_LANE:
        return "\n".join(_list_lines(diagram, width))
    painter = _Painter(diagram, lane, _ASCII if ascii_only else _BOX, colour)
    return "\n".join(painter.lines())


class _Painter:
    """Paints line by line; centres[i] is the text column of lane i."""

    def __init__(self, diagram: Diagram, lane: int, glyphs: _Glyphs, colour: bool) -> None:
        self.diagram = diagram
        self.lane = lane
        self.glyphs = glyphs
        self.colour = colour
        self.centres = [_MARGIN + lane * index + lane // 2 for index in range(len(diagram.columns))]

    def lines(self) -> list[str]:
        head = [self.diagram.title]
        head += [self._labels([column.name for column in self.diagram.columns], "")]
        head += [self._labels([column.address for column in self.diagram.columns], "")]
        return head + [self._line(line, shown) for line, shown in self._with_times()]

    def _with_times(self) -> list[tuple[Line, str]]:
        """Pair each line with the time to show: none where it is the one above."""
        times = [_time(line) for line in self.diagram.lines]
        return [
            (line, "" if index and times[index - 1] == times[index] else times[index])
            for index, line in enumerate(self.diagram.lines)
        ]

    def _line(self, line: Line, shown: str) -> str:
        if line.remark:
            return self._remark(line.remark, shown)
        if line.arrow is not None:
            return self._arrow(line.arrow, shown)
        texts: list[str | None] = [None] * len(self.centres)
        for mark in line.states:
            texts[mark.column] = f"({mark.state})" if mark.is_inferred else str(mark.state)
        return self._labels(texts, shown, lanes=True)

    def _width(self) -> int:
        return _MARGIN + self.lane * len(self.centres)

    def _labels(self, texts: "list[str | None] | list[str]", shown: str, *, lanes: bool = False) -> str:
        out = [f"{shown:>{_MARGIN - 2}}  "]
        for text in texts:
            cell = (self.glyphs.lane if lanes else "") if text is None else text[: self.lane - 1]
            before = max(0, self.lane // 2 - len(cell) // 2)
            padded = (" " * before + cell).ljust(self.lane)
            out.append(self._styled(padded, cell, _BOLD) if text and lanes else padded)
        return "".join(out).rstrip()

    def _lanes(self, shown: str) -> list[str]:
        row = list(f"{shown:>{_MARGIN - 2}}".ljust(self._width()))
        for centre in self.centres:
            row[centre] = self.glyphs.lane
        return row

    def _remark(self, remark: str, shown: str) -> str:
        # In the middle, where the proxy is.
        row, text = self._lanes(shown), f" {remark} "[: self._width() - _MARGIN]
        start = _MARGIN + (self._width() - _MARGIN - len(text)) // 2
        row[start : start + len(text)] = text
        return "".join(row).rstrip()

    def _arrow(self, arrow: Arrow, shown: str) -> str:
        row = self._lanes(shown)
        low, high = sorted((self.centres[arrow.sender], self.centres[arrow.receiver]))
        label = f" {arrow.label} "
        shaft = list(label.center(high - low - 1, self.glyphs.shaft))
        tip = -1 if arrow.receiver > arrow.sender else 0
        if arrow.is_kept_out:
            shaft[tip] = self.glyphs.stop
        else:
            shaft[tip] = self.glyphs.right if tip else self.glyphs.left
        row[low + 1 : high] = shaft
        style = _RED if arrow.label == "RST" else _BOLD if arrow.label == "FIN" else ""
        return self._styled("".join(row).rstrip(), label.strip(), style)

    def _styled(self, text: str, part: str, style: str) -> str:
        return text.replace(part, f"{style}{part}{_PLAIN}", 1) if self.colour and style else text


def _list_lines(diagram: Diagram, width: int) -> list[str]:
    names = [column.name for column in diagram.columns]
    lines = [diagram.title]
    for line in diagram.lines:
        lines += [f"{_time(line):>{_MARGIN - 2}}  {text}"[:width] for text in _told(line, names)]
    return lines


def _told(line: Line, names: list[str]) -> list[str]:
    if line.arrow is not None:
        kept = " (kept out)" * line.arrow.is_kept_out
        return [f"{line.arrow.label} {names[line.arrow.sender]} > {names[line.arrow.receiver]}{kept}"]
    if line.remark:
        return [line.remark]
    return [f"{names[mark.column]} {mark.state}{' (inferred)' * mark.is_inferred}" for mark in line.states]


def _time(line: Line) -> str:
    return "0" if line.at <= 0 else format_duration(line.at)
