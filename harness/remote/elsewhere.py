"""Where the parties of a test run when they do not run here: a finproxy, agents, servers, by their addresses.

What pytest's options --finproxy-url, --finproxy-agent and --finproxy-server say, as a value that makes
proxies and programs. With nothing in it, everything is here. This module must not know pytest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import finproxy
from harness.driving import Upstream
from harness.errors import UsageError
from harness.proxied import WatchedProxy
from harness.remote.asking import Asker
from harness.remote.program import RemoteProgram
from harness.remote.proxy_driver import RemoteDriver


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """`url` is the finproxy's control API, `agents` and `servers` are addresses by name."""

    url: str | None = None
    agents: Mapping[str, str] = field(default_factory=dict)
    servers: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    token: str | None = None

    @classmethod
    def of(
        cls,
        url: str | None = None,
        agents: Iterable[str] = (),
        servers: Iterable[str] = (),
        token_file: Path | None = None,
    ) -> Self:
        """Read what command lines have: ``NAME=URL`` for agents, ``[PROGRAM=]HOST:PORT`` for servers.

        Raises:
            UsageError: one of them is not so written.
            FinproxyError: the token cannot be read.

        """
        return cls(
            url or None,
            dict(_agent(text) for text in agents),
            dict(_server(text) for text in servers),
            finproxy.read_token(token_file) if token_file else None,
        )

    def proxy(
        self, url: str, upstream: Upstream, rules: Sequence[str], settings: Mapping[str, Any]
    ) -> WatchedProxy:
        """Make a proxy in the finproxy at `url`."""
        driver = RemoteDriver(Asker(url, self.token), rules, settings)
        return WatchedProxy(driver, upstream, agents=self.agents, token=self.token)

    def program(self, command: Sequence[str], within: float) -> RemoteProgram:
        """Find the program that runs in the place of this command.

        Raises:
            UsageError: no server was named that could be it.

        """
        name = Path(command[0].split()[0]).name if command else ""
        address = self.servers.get(name) or self.servers.get("")
        if address is None:
            raise UsageError(
                f"expected a server in the place of {name!r}, for nothing is launched with --finproxy-url; "
                f"give pytest --finproxy-server HOST:PORT, or --finproxy-server {name}=HOST:PORT"
            )
        agent = self.agents.get(address[0])
        return RemoteProgram(command, address, Asker(agent, self.token) if agent else None, within=within)


def _agent(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    if not name or not equals:
        raise UsageError(
            f"--finproxy-agent: expected NAME=URL, as in server=http://server:8475, found {text!r}"
        )
    return name, Asker(url).url


def _server(text: str) -> tuple[str, tuple[str, int]]:
    name, _, address = text.rpartition("=")
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UsageError(
            f"--finproxy-server: expected [PROGRAM=]HOST:PORT, as in server:8000, found {text!r}"
        )
    return name, (host.strip("[]"), int(port))
