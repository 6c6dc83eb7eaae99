"""finproxy: a TCP proxy that decides what becomes of every FIN and RST.

    async with finproxy.open_proxy("127.0.0.1:80", ["client.fin -> hold"]) as proxy:
        ...  # clients connect to proxy.address
        await proxy.release(1, "client")

What a user imports, and no more; each name is loaded when it is first used, so that importing the package
costs nothing to whoever only wants a part of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .addresses import AddressError as AddressError
    from .errors import FinproxyError as FinproxyError
    from .journal import Journal as Journal
    from .journal import JournalError as JournalError
    from .legs import Address as Address
    from .legs import Ending as Ending
    from .legs import Leg as Leg
    from .legs import Loss as Loss
    from .notation import format_rule as format_rule
    from .notation import parse_rule as parse_rule
    from .opening import open_proxy as open_proxy
    from .reading import NotationError as NotationError
    from .reading import did_you_mean as did_you_mean
    from .records import Record as Record
    from .rules import Rule as Rule
    from .rules import RuleError as RuleError
    from .server import Proxy as Proxy
    from .session import NotHeldError as NotHeldError
    from .session import Session as Session
    from .settings import Settings as Settings
    from .sockets import ListenError as ListenError
    from .units import parse_duration as parse_duration
    from .web.bodies import read_body as read_body
    from .web.events import stream_events as stream_events
    from .web.feed import Feed as Feed
    from .web.guard import Guard as Guard
    from .web.guard import read_token as read_token
    from .web.problems import JsonAnswer as JsonAnswer
    from .web.problems import Refusal as Refusal
    from .web.serving import serve_http as serve_http
    from .wire.technique import WireError as WireError

__version__ = "0.1.0"

_HOMES = {
    "addresses": ("AddressError",),
    "errors": ("FinproxyError",),
    "journal": ("Journal", "JournalError"),
    "legs": ("Address", "Ending", "Leg", "Loss"),
    "notation": ("format_rule", "parse_rule"),
    "reading": ("NotationError", "did_you_mean"),
    "records": ("Record",),
    "rules": ("Rule", "RuleError"),
    "opening": ("open_proxy",),
    "server": ("Proxy",),
    "session": ("NotHeldError", "Session"),
    "settings": ("Settings",),
    "sockets": ("ListenError",),
    "units": ("parse_duration",),
    "web.bodies": ("read_body",),
    "web.events": ("stream_events",),
    "web.feed": ("Feed",),
    "web.guard": ("Guard", "read_token"),
    "web.problems": ("JsonAnswer", "Refusal"),
    "web.serving": ("serve_http",),
    "wire.technique": ("WireError",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF]  # noqa: PLE0604 - the names are strings, one line above


def __getattr__(name: str) -> object:
    """Load a public name (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'finproxy' has no attribute '{name}'")
    return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
