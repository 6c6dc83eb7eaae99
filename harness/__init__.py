"""Watches the operating system's TCP socket states on both ends of a connection and checks their ladders.

The façade: everything a user needs is an attribute of this package and is imported when it is first used
(PEP 562), because importing the harness must not cost a test run the import of trio and psutil. This module
holds no logic.

    async with harness.watch(session.client, session.server) as seen:      # also with `with`
        await seen.client.wait_for("FIN-WAIT-2", within=2)
    seen.client.check("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT")
    seen.check(harness.ladders.CLIENT_CLOSES_FIRST)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import ladders as ladders
    from harness.drawing.diagram import connection_diagram as connection_diagram
    from harness.drawing.diagram import session_diagram as session_diagram
    from harness.drawing.diagram import session_endpoints as session_endpoints
    from harness.drawing.svg import draw_svg as draw_svg
    from harness.drawing.text import draw_text as draw_text
    from harness.errors import HarnessError as HarnessError
    from harness.errors import LadderMismatch as LadderMismatch
    from harness.knobs import read_knobs as read_knobs
    from harness.leaking import leaks as leaks
    from harness.rows import Endpoint as Endpoint
    from harness.states import TcpState as TcpState
    from harness.verdict import judge_close as judge_close
    from harness.verdict import judge_data as judge_data
    from harness.watching.watch import watch as watch

_HOMES = {
    "Endpoint": "harness.rows",
    "HarnessError": "harness.errors",
    "LadderMismatch": "harness.errors",
    "TcpState": "harness.states",
    "connection_diagram": "harness.drawing.diagram",
    "draw_svg": "harness.drawing.svg",
    "draw_text": "harness.drawing.text",
    "judge_close": "harness.verdict",
    "judge_data": "harness.verdict",
    "leaks": "harness.leaking",
    "read_knobs": "harness.knobs",
    "session_diagram": "harness.drawing.diagram",
    "session_endpoints": "harness.drawing.diagram",
    "watch": "harness.watching.watch",
}

__all__ = [
    "Endpoint",
    "HarnessError",
    "LadderMismatch",
    "TcpState",
    "connection_diagram",
    "draw_svg",
    "draw_text",
    "judge_close",
    "judge_data",
    "ladders",
    "leaks",
    "read_knobs",
    "session_diagram",
    "session_endpoints",
    "watch",
]


def __getattr__(name: str) -> object:
    if name == "ladders":
        return import_module("harness.ladders")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
