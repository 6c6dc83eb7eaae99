"""Where, for whom and with which proxies an API is served: values, however they were given.

Imported by whoever reads a configuration, so nothing that serves is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..addresses import LOOPBACK
from ..legs import Address
from ..records import Observer
from ..settings import Settings

PORT: Final = 8474
"""Toxiproxy's port, where its clients look for an API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Where and for whom an API is served."""

    listen: Address = (LOOPBACK, PORT)
    token_file: Path | None = None
    """Requests must bear the token in it; None asks for none."""
    hosts: tuple[str, ...] = ()
    """Names with a dot by which it may be called, ``*`` for any."""
    proxy_host: str = LOOPBACK
    """Where a proxy listens for which nothing but a port is given, or not even that."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A proxy that is to be there from the beginning."""

    settings: Settings
    listen: str
    upstream: str
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """All that a run with an API is made of."""

    api: ApiSettings
    created: Callable[[str], Settings]
    """Gives the settings of a proxy that is created over the API, by its name."""
    proxies: Sequence[Wanted] = ()
    examine: Callable[[], Any] | None = None
    """Finds out what works on this machine; called in a thread."""
    observers: Sequence[Observer] = ()
