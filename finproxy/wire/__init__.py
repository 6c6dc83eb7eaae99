"""Keeping a peer's FIN segment from being accepted by this machine's kernel.

Role: the one place where an action `at wire` becomes an act on the operating system. Importing the package
costs nothing: each name is loaded when it is first used. It must not know rules, sessions, Trio or the
journal; it is given sockets and answers questions about them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finproxy.wire.choice import Needs, choose, probe_all
    from finproxy.wire.technique import Abilities, Keep, Probe, Sight, Technique, WireError, WireHold

__all__ = [
    "Abilities",
    "Keep",
    "Needs",
    "Probe",
    "Sight",
    "Technique",
    "WireError",
    "WireHold",
    "choose",
    "probe_all",
]

_IN_CHOICE = {"Needs", "choose", "probe_all"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "choice" if name in _IN_CHOICE else "technique"
    found: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found
