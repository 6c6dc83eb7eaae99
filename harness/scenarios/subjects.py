"""Who is tried: a server, a client or a relay, and how to speak to it.

This module must not know any scenario.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from signal import SIGTERM
from typing import Any
from urllib.parse import urlsplit

from harness.contract.protocols import Http, Protocol
from harness.errors import UsageError
from harness.program import Program
from harness.scenarios.scenario import CLIENT, RELAY, SERVER


@dataclass(frozen=True)
class ServerSubject:
    """A server: a running program, or a function that starts one (each play then has a fresh one).

    `closing` is a request that asks it to close afterwards. `slow` is a request whose answer takes a while,
    or a function that gives the request whose answer takes so many seconds.
    """

    program: Program | Callable[[], Program]
    protocol: Protocol = field(default_factory=Http)
    closing: Protocol | None = None
    slow: Protocol | Callable[[float], Protocol] | None = None
    patience: float = 7.5
    """Seconds that anything may take, its shutdown included. None of the usual timers (5 s, 10 s) ends just
    then: a verdict would be a matter of luck."""
    signal: int = SIGTERM
    """What asks it to end: SIGTERM; nginx's graceful one is SIGQUIT, haproxy's SIGUSR1."""
    grace: float | None = None
    """Seconds that its shutdown may take; `patience` if None."""
    exit_codes: tuple[int, ...] = (0, -SIGTERM, 128 + SIGTERM)
    """Codes of a clean end. Dying of SIGTERM itself is what service managers take for one as well."""
    kind: str = field(default=SERVER, init=False)

    def request_taking(self, seconds: float) -> Protocol | None:
        """The request whose answer takes so long; None if it has none."""
        if not seconds:
            return self.protocol
        slow = self.slow
        # A Protocol is told by its methods: it might be callable for reasons of its own.
        return slow(seconds) if callable(slow) and not hasattr(slow, "receive") else slow  # type: ignore[return-value]


@dataclass(frozen=True)
class ClientSubject:
    """A command that asks ``{url}`` by HTTP, prints the bodies, and exits with 0 unless it met an error.

    ``{port}`` will do as well, in an address such as ``http://127.0.0.1:{port}/file``.

    For scenarios about kept connections it has to ask twice, one after the other, on one connection. Where
    it can ask any number of times, an argument ``{urls}`` stands for as many as the scenario wants.
    """

    command: Sequence[str]
    patience: float = 20.0
    """Seconds within which it has to come back from whatever is done to it."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Other arguments of `harness.program.Program`: env, cwd."""
    kind: str = field(default=CLIENT, init=False)

    @property
    def asks_as_told(self) -> bool:
        """Whether it can ask any number of times."""
        return any("{urls}" in part for part in self.command)

    @property
    def asks_twice(self) -> bool:
        """Whether its command says that it asks more than once."""
        return self.asks_as_told or sum(part.count("{url}") for part in self.command) > 1

    def arguments(self, url: str, times: int = 2) -> list[str]:
        """The command that asks this URL, so many times if it can be told; any path will be answered."""
        filled: list[str] = []
        for part in self.command:
            filled += [part.replace("{urls}", url)] * times if "{urls}" in part else [part]
        port = str(urlsplit(url).port)
        return [part.replace("{url}", url).replace("{port}", port) for part in filled]


@dataclass(frozen=True)
class RelaySubject:
    """A relay, started anew for each play: `start` is given the port of its upstream on 127.0.0.1.

    The runner is the client and the upstream, with plain sockets. `RelaySubject.of` makes one of a command.
    """

    start: Callable[[int], Program]
    http: bool = False
    """Whether it understands HTTP, so that only messages of HTTP can be sent through it."""
    patience: float = 5.0
    kind: str = field(default=RELAY, init=False)

    @classmethod
    def of(cls, *command: str, http: bool = False, patience: float = 5.0, **settings: Any) -> "RelaySubject":
        """A command in which ``{port}`` is where it listens and ``{upstream}`` the port it connects to.

        `settings` are other arguments of `harness.program.Program`.

        Raises:
            UsageError: one of both is missing.

        """
        for place in ("{port}", "{upstream}"):
            if not any(place in part for part in command):
                raise UsageError(f"expected {place} in the relay's command, found {' '.join(command)!r}")
        return cls(partial(_started, command, settings), http, patience)


Subject = ServerSubject | ClientSubject | RelaySubject


def _started(command: Sequence[str], settings: dict[str, Any], upstream: int) -> Program:
    return Program(*(part.replace("{upstream}", str(upstream)) for part in command), **settings)
