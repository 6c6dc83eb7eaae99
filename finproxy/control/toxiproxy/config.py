"""Toxiproxy's configuration file: a JSON array of proxies, as `/populate` takes it.

A file that cannot be read is an error here: Toxiproxy logs it and runs without the proxies. This module must
not know how proxies are opened.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...config import ConfigError
from ...settings import Settings
from ..settings import Wanted
from . import inputs
from .errors import ToxiproxyError


def read_config(path: Path, created: Callable[[str], Settings]) -> list[Wanted]:
    """The proxies of a file; `created` gives the settings of each, by its name.

    Raises:
        ConfigError: the file cannot be read, or a proxy in it cannot be meant.
    """
    try:
        proxies = inputs.read_proxies(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ToxiproxyError as error:
        raise ConfigError(f"{path}: not a configuration of Toxiproxy: {error}") from error
    return [
        Wanted(created(proxy.name), proxy.listen or "", proxy.upstream or "", proxy.enabled is not False)
        for proxy in proxies
    ]
