"""A recipe: how to start a subject, speak to it and end it. What one file of recipes/ or one table says.

Places in curly brackets are filled in when the subject is started: ``{port}`` where it listens,
``{upstream}`` the port a relay connects to, ``{url}`` or ``{urls}`` what a client asks, ``{dir}`` a fresh
folder of its own, ``{shared}`` the folder that `prepare` has filled once, ``{backend}`` the port of its
little application, ``{programs}`` the folder of those that come with the audit, ``{python}`` the interpreter.

Data only. This module must not know files, nor how a subject is played with.
"""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.scenarios.scenario import CLIENT, RELAY, SERVER

PLACES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    SERVER: (("port",),),
    CLIENT: (("url", "urls", "port"),),
    RELAY: (("port",), ("upstream",)),
}
"""The places without which a subject of this kind could not be reached; of several, one will do."""
_PLACE = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One subject, which is one column of the matrix. Texts may hold places; seconds are numbers."""

    name: str
    kind: str
    """server, client or relay."""
    command: tuple[str, ...]
    version: tuple[str, ...] = ()
    """A command that prints its version."""
    needs: tuple[str, ...] = ()
    """What must be installed: programs, or ``module:NAME``. The command's first word if empty."""
    protocol: str = "http"
    """http, redis, raw, or ``module:function`` that gives a request (harness.contract.protocols.Protocol)."""
    ask: tuple[str, ...] = ()
    """The plain request: a path (http), or what is sent and what must come back."""
    closing: tuple[str, ...] = ()
    """One that asks the server to close afterwards."""
    slow: tuple[str, ...] = ()
    """One whose answer takes ``{seconds}``."""
    ready: str = ""
    """A pattern it prints when it is ready; without it, it is when it listens."""
    within: float = 30.0
    """Seconds that it may take to get ready."""
    signal: str = "TERM"
    grace: float = 5.0
    """Seconds that its shutdown may take."""
    patience: float = 5.0
    """Seconds that anything else may take; 7.5 for a server (harness.scenarios.subjects says why), 20 for a
    client, all of it."""
    exit_codes: tuple[int, ...] = (0, -15, 143)
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Name to content: written into ``{dir}`` before each start."""
    setup: tuple[tuple[str, ...], ...] = ()
    """Commands that are run in ``{dir}`` before each start."""
    prepare: tuple[tuple[str, ...], ...] = ()
    """Commands that fill ``{shared}``, once for the whole audit."""
    backend: tuple[str, ...] = ()
    """The little application that a server passes requests on to."""
    user: str = ""
    """Whom it runs as where the audit runs as root: some programs refuse to be root."""
    only: tuple[str, ...] = ()
    """Scenarios that it is tried in; all that apply if empty."""

    def missing(self) -> list[str]:
        """What it needs and is not installed."""
        return [need for need in self.needs or (self.command[0],) if not _is_there(need)]

    @property
    def needs_a_kit(self) -> bool:
        """Whether something has to be done before each start (harness.audit.launch)."""
        return bool(self.files or self.setup or self.user)


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with those places filled that are given; others, and all other brackets, stay as they are."""
    return _PLACE.sub(lambda place: values.get(place[1], place[0]), text)


def search_path() -> str:
    """Where programs are looked for: as in harness.program, those of this Python's environment come first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _is_there(need: str) -> bool:
    module = need.removeprefix("module:")
    if module != need:
        return importlib.util.find_spec(module) is not None
    return need.startswith("{") or shutil.which(need, path=search_path()) is not None
