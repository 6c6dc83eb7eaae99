"""The figures as a picture: how much of a direct connection's rate each relay leaves, as bars in an SVG.

It has to be readable on light and on dark pages. This module must not know how anything was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle

_BAR, _GAP, _LABELS, _WIDTH = 12, 14, 190, 1000
_COLOURS = ("#3b82f6", "#93c5fd", "#f59e0b", "#10b981", "#ef4444", "#a855f7")
"""One for each relay, in the order of the legend: none too near to white, none too near to black."""

_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<title>Rates through each relay, as shares of a direct connection</title>
<style>{style}</style>
{body}
</svg>
"""
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } }
"""

Shares = Mapping[str, Mapping[str, float]]
"""By measure, then by relay: the rate as a share of the direct connection's."""


def draw(shares: Shares, relays: Sequence[str]) -> str:
    """The chart of these shares; measures and relays in the order in which they are given."""
    colours = dict(zip(relays, cycle(_COLOURS), strict=False))
    body = [_legend(colours)]
    top = 40
    for measure, by_relay in shares.items():
        body.append(_text(0, top + _BAR, measure))
        for relay in relays:
            if relay in by_relay:
                body.append(_bar(top, by_relay[relay], colours[relay]))
                top += _BAR
        top += _GAP
    return _FRAME.format(width=_WIDTH, height=top, style=_STYLE, body="\n".join(body))


def _legend(colours: Mapping[str, str]) -> str:
    step = _WIDTH // len(colours)
    return "\n".join(
        f'<rect x="{number * step}" y="8" width="10" height="10" fill="{colour}"/>'
        + _text(number * step + 14, 17, relay)
        for number, (relay, colour) in enumerate(colours.items())
    )


def _bar(top: int, share: float, colour: str) -> str:
    width = min(1.0, share) * (_WIDTH - _LABELS - 60)
    bar = f'<rect x="{_LABELS}" y="{top}" width="{width:.1f}" height="{_BAR - 2}" fill="{colour}"/>'
    return bar + _text(round(_LABELS + width) + 4, top + _BAR - 2, f"{share:.0%}")


def _text(left: int, base: int, words: str) -> str:
    return f'<text x="{left}" y="{base}">{escape(words)}</text>'
