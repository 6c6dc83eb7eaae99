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
    from harness.errors import HarnessError as HarnessError
    from harness.errors import LadderMismatch as LadderMismatch
    from harness.rows import Endpoint as Endpoint
    from harness.states import TcpState as TcpState
    from harness.watching.watch import watch as watch

_HOMES = {
    "Endpoint": "harness.rows",
    "HarnessError": "harness.errors",
    "LadderMismatch": "harness.errors",
    "TcpState": "harness.states",
    "watch": "harness.watching.watch",
}

__all__ = ["Endpoint", "HarnessError", "LadderMismatch", "TcpState", "ladders", "watch"]


def __getattr__(name: str) -> object:
    if name == "ladders":
        return import_module("harness.ladders")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
