"""Drives a proxy that runs elsewhere, over the control API's /v1, and tells its records from a thread.

The proxy is created by the test and deleted with it, under a name that no other run has. This module must
not know who watches its endpoints.
"""

import contextlib
import secrets
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import finproxy
from harness.driving import Teller
from harness.errors import HarnessError
from harness.remote.asking import Asker, EventStream, UnreachableError

# A container's own loopback is reached by nobody else.
_EVERY_INTERFACE = "0.0.0.0"
_HEAD = {"id", "t", "at", "proxy", "session", "event", "leg"}


class RemoteDriver:
    """A driver (harness/driving.py): see there. `settings` are those of NewProxy in /v1/openapi.json.

    `listen` is a port of the other machine, by default a free one.
    """

    def __init__(self, asker: Asker, rules: Sequence[str], settings: Mapping[str, Any]) -> None:
        self._ask = asker
        self._asked = {"rules": list(rules), **settings, "listen": _listen(settings.get("listen", "0"))}
        self._name = f"test-{secrets.token_hex(4)}"
        self._path = f"/v1/proxies/{self._name}"
        self._made: Mapping[str, Any] = {}
        self._opened = contextlib.ExitStack()
        self._stream: EventStream
        self._tell: Teller
        self._closing = False
        self._thread = threading.Thread(target=self._follow, name=self._name, daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that clients connect to."""
        return self._ask.host, int(str(self._made["listen"]).rpartition(":")[2])

    @property
    def url(self) -> str:
        """The address as text, ``finproxy:9000``."""
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def seed(self) -> int:
        """What its chance is drawn from."""
        return int(self._made["seed"])

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that hold now, in the notation."""
        return tuple(self._ask.get(f"{self._path}/rules")["rules"])

    def open(self, upstream: str | tuple[str, int], tell: Teller) -> None:
        """Let the proxy listen.

        Raises:
            UnreachableError: no finproxy answers there.
            RefusedError: it cannot make this proxy; says why.

        """
        self._tell = tell
        # The stream comes first: nothing of the proxy is missed, however long it takes until `begin`.
        self._stream = self._opened.enter_context(self._ask.stream(f"/v1/records/stream?proxy={self._name}"))
        to = upstream if isinstance(upstream, str) else f"{upstream[0]}:{upstream[1]}"
        wanted = {"name": self._name, "upstream": to, **self._asked}
        try:
            self._made = self._ask.ask("POST", "/v1/proxies", wanted)
        except HarnessError:
            self._opened.close()
            raise

    def begin(self) -> None:
        """Tell its records from the first one on."""
        self._thread.start()

    def hold(self, session: int, leg: str) -> None:
        """Hold the end of an endpoint's flow when it comes."""
        self._do(session, "hold", {"leg": str(leg)})

    def release(self, session: int, leg: str) -> None:
        """Let go what is held of an endpoint."""
        self._do(session, "release", {"leg": str(leg)})

    def release_all(self) -> int:
        """Let go everything that is held; how many ends that were."""
        return int(self._ask.ask("POST", f"{self._path}/release")["released"])

    def act(self, session: int, leg: str, action: str) -> None:
        """Do now what a rule with this action would do."""
        self._do(session, "act", {"leg": str(leg), "action": str(action)})

    def set_rules(self, rules: Sequence[str]) -> None:
        """Let other rules hold from now on, also in the sessions that are open."""
        self._ask.ask("PUT", f"{self._path}/rules", {"rules": list(rules)})

    def close(self) -> None:
        """Delete the proxy, and with it its sessions.

        Raises:
            UnreachableError: the finproxy has gone meanwhile.

        """
        try:
            self.release_all()
            self._ask.ask("DELETE", self._path)
        finally:
            self._closing = True
            self._stream.hang_up()
            if self._thread.is_alive():
                self._thread.join()
            self._opened.close()

    def _do(self, session: int, what: str, body: Mapping[str, str]) -> None:
        self._ask.ask("POST", f"{self._path}/sessions/{session}/{what}", body)

    def _follow(self) -> None:
        """On the thread: tell what comes until the proxy is deleted, or cannot be followed any more."""
        failure = UnreachableError(f"expected records of {self.url} until it is closed, found their end")
        try:
            for told in self._stream:
                if told.kind == "records.missed":
                    failure = UnreachableError(f"{self._ask.url} has told more than could be followed")
                    break
                self._tell(_record(told.data))
        except UnreachableError as error:
            failure = error
        self._tell.end(None if self._closing else failure)


def _listen(asked: object) -> str:
    """A bare port is one of every interface: on the other machine, loopback would be of no use."""
    text = str(asked)
    return f"{_EVERY_INTERFACE}:{text}" if text.isdecimal() else text


def _record(told: Mapping[str, Any]) -> finproxy.Record:
    leg = told.get("leg")
    return finproxy.Record(
        event=told["event"],
        t=float(told["t"]),
        at=datetime.fromisoformat(told["at"]).timestamp(),
        proxy=told.get("proxy"),
        session=told.get("session"),
        leg=finproxy.Leg(leg) if leg else None,
        fields={name: value for name, value in told.items() if name not in _HEAD},
    )
