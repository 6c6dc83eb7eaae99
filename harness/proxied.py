"""A proxy for code that is not async, wherever it runs: its endpoints are watched from the start.

    proxy = BackgroundProxy(background, app, "client.fin -> hold")
    idle = proxy.connect()
    proxy.wait_for("fin.held", "client")
    proxy.session.server.check("ESTABLISHED > CLOSE-WAIT")

What moves it is a driver: one in this process (background_driver.py), or one on the other side of the control
API (remote/proxy_driver.py). This module must not know any test framework, nor where the proxy runs.
"""

import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import finproxy
from harness.background import Background
from harness.background_driver import BackgroundDriver
from harness.driving import Driver, Upstream, address_of
from harness.errors import HarnessError, UsageError
from harness.proxied_session import RESETS, ProxiedSession
from harness.story import Story
from harness.watching.watch import watch


class ProxyFailedError(HarnessError):
    """The proxy itself failed, by a defect of its own: not what a peer did."""


class WatchedProxy:
    """A proxy in front of `upstream` until `close`, which lets go what is held and ends open sessions.

    `agents` are addresses of `finproxy agent` by name, for endpoints in other network namespaces; `token` is
    what they ask for.
    """

    def __init__(
        self,
        driver: Driver,
        upstream: Upstream,
        *,
        agents: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> None:
        self._driver = driver
        self._sessions: dict[int, ProxiedSession] = {}
        self._story = Story(self._take_in)
        self._closed = False
        self._clients: list[socket.socket] = []
        to = address_of(upstream)
        with ExitStack() as undo:
            driver.open(to, self._story)
            undo.callback(driver.close)
            # Before anything is told of it: nothing that the endpoints do is missed.
            ports = {self.port, *([to[1]] if isinstance(to, tuple) else [])}
            self._watching = watch(ports=ports, agents=agents, token=token)
            self._seen = undo.enter_context(self._watching)
            driver.begin()
            undo.pop_all()

    # --- what it is -------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that clients connect to."""
        return self._driver.address

    @property
    def host(self) -> str:
        """The host of its address."""
        return self.address[0]

    @property
    def port(self) -> int:
        """The port of its address."""
        return self.address[1]

    @property
    def url(self) -> str:
        """The address as text, ``127.0.0.1:9000``."""
        return self._driver.url

    @property
    def seed(self) -> int:
        """What its chance is drawn from: the same seed repeats the run."""
        return self._driver.seed

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that hold now, in the notation."""
        return self._driver.rules

    @property
    def records(self) -> Sequence[finproxy.Record]:
        """Everything that has happened, in order."""
        return self._story.find()

    @property
    def sessions(self) -> tuple[ProxiedSession, ...]:
        """All sessions so far in the order in which they opened, also those that are over."""
        return tuple(self._sessions.values())

    @property
    def session(self) -> ProxiedSession:
        """The youngest session; waits for one if there is none yet.

        Raises:
            RecordNotSeenError: none has opened within 10 seconds.

        """
        if not self._sessions:
            self.wait_for("session.opened")
        return self.sessions[-1]

    def session_of(self, client: socket.socket) -> ProxiedSession:
        """The session of a client's socket.

        Raises:
            UsageError: there is none.

        """
        name = client.getsockname()[:2]
        for session in self.sessions:
            if session.client.endpoint.local == name:
                return session
        raise UsageError(f"expected a client of {self.url}, found a socket with the address {name}")

    # --- what is done with it ---------------------------------------------------------------------

    def connect(self, timeout: float = 10.0) -> socket.socket:
        """A plain socket, connected; its session is open, was refused, or has crashed."""
        client = socket.create_connection(self.address, timeout)
        self._clients.append(client)  # a test need not close it
        name = list(client.getsockname()[:2])
        self._story.wait_until(lambda record: _tells_of(record, name), timeout)
        return client

    def hold(self, leg: str) -> None:
        """Hold the end of an endpoint's flow in the youngest session, when it comes."""
        self.session.hold(leg)

    def release(self, leg: str) -> None:
        """Let go what is held of an endpoint in the youngest session."""
        self.session.release(leg)

    def act(self, leg: str, action: str) -> None:
        """Do in the youngest session what a rule with this action would do: ``act("client", "fin")``."""
        self.session.act(leg, action)

    def release_all(self) -> int:
        """Let go everything that is held; how many ends that were."""
        return self._driver.release_all()

    def set_rules(self, *rules: str) -> None:
        """Let other rules hold from now on, also in the sessions that are open."""
        self._driver.set_rules(rules)

    def wait_for(
        self,
        event: str,
        leg: str | None = None,
        *,
        session: int | None = None,
        count: int = 1,
        within: float = 10.0,
    ) -> finproxy.Record:
        """Wait until there are `count` records of this event, those before included; the last of them.

        Raises:
            RecordNotSeenError: they have not come within so many seconds; shows those that have.

        """
        return self._story.wait_for(event, leg, session, count, within)

    def journal(self, session: int | None = None) -> str:
        """The journal so far, one line a record."""
        return self._story.journal(session)

    def close(self) -> None:
        """Let go what is held, abort the sessions that are open, and stop watching. May be called twice.

        Raises:
            ProxyFailedError: the proxy, or one of its sessions, has failed meanwhile.

        """
        if self._closed:
            return
        self._closed = True
        for client in self._clients:
            client.close()
        try:
            self._end()
        finally:
            self._watching.__exit__(None, None, None)
        if crashed := self._story.find("session.crashed"):
            raise ProxyFailedError(f"a session of {self.url} crashed: {crashed[0].fields.get('why')}")

    # --- in here ----------------------------------------------------------------------------------

    def _end(self) -> None:
        try:
            self._driver.close()
        except Exception as error:
            raise ProxyFailedError(f"the proxy {self.url} failed: {error!r}") from error

    def _take_in(self, record: finproxy.Record) -> None:
        """On the driver's thread: watch a session's ends from its first moment on, and tell of its RSTs."""
        if record.event == "session.opened" and record.session is not None:
            self._sessions[record.session] = ProxiedSession(record, self._driver, self._story, self._seen)
        elif record.event in RESETS and record.session in self._sessions:
            self._sessions[record.session].witness(record)


def _tells_of(record: finproxy.Record, client: list[str | int]) -> bool:
    """Whether a session of this client has opened or was refused; or one has crashed, perhaps this one."""
    return record.fields.get("client") == client or record.event == "session.crashed"


class BackgroundProxy(WatchedProxy):
    """One in this process: see `finproxy.open_proxy` for settings."""

    def __init__(
        self,
        background: Background,
        upstream: Upstream,
        *rules: str,
        agents: Mapping[str, str] | None = None,
        token: str | None = None,
        **settings: Any,
    ) -> None:
        driver = BackgroundDriver(background, rules, {"grace": 0.0, **settings})
        super().__init__(driver, upstream, agents=agents, token=token)
