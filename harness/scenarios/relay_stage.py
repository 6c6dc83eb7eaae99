"""What plays with a relay work with: the runner is the client and the upstream, with plain sockets.

Both connections of the relay are watched, at all four ends. This module must not know any scenario.
"""

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from harness.background import Background
from harness.contract.subject import End
from harness.errors import CheckFailedError
from harness.output import wait_until
from harness.program import Program
from harness.proxied_end import ProxiedEnd
from harness.rows import Endpoint
from harness.scenarios.messages import BODY, REQUEST, http_answer
from harness.scenarios.outcome import SessionSeen
from harness.scenarios.scenario import Scenario
from harness.scenarios.seeing import connection_seen, resets_told
from harness.scenarios.stage import Stage
from harness.scenarios.subjects import RelaySubject
from harness.watching.seen import Seen
from harness.watching.watch import watch

ANSWER = http_answer(BODY)
"""20 kB with their length."""


@dataclass(frozen=True)
class Pair:
    """One connection through the relay: the runner's two sockets, and all four ends by name."""

    client: socket.socket
    server: socket.socket
    ends: Mapping[str, ProxiedEnd]


class RelayStage(Stage):
    """One play with a relay."""

    def __init__(
        self,
        scenario: Scenario,
        parameters: Mapping[str, float],
        background: Background,
        subject: RelaySubject,
    ) -> None:
        super().__init__(scenario, parameters, background, subject.patience)
        self.subject = subject
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.keep(self._listener, self._listener.close)
        self._pairs: list[Pair] = []

    @cached_property
    def relay(self) -> Program:
        """The running relay.

        Raises:
            StartError: it did not start.

        """
        self.program = self.subject.start(self._listener.getsockname()[1])
        return self.keep(self.program, self.program.stop)

    @cached_property
    def _seen(self) -> Seen:
        ports = {self.relay.address[1], self._listener.getsockname()[1]}
        watching = watch(ports=ports)
        seen = watching.__enter__()
        self.keep(watching, lambda: watching.__exit__(None, None, None))
        return seen

    def asked(self, request: bytes = REQUEST, receive_buffer: int | None = None) -> Pair:
        """A connection through the relay over which a request has come to the upstream.

        The request goes first: a relay that understands HTTP connects to its upstream only then.
        `receive_buffer` is that of the client, in bytes, so that its window is small.

        Raises:
            CheckFailedError: it did not come, though nothing unusual has been done yet.

        """
        _ = self._seen  # from before anything can happen
        client = self._client(receive_buffer)
        client.sendall(request)
        server = self._accept()
        self._must_come(server)
        return self._paired(client, server)

    def died(self) -> str:
        """Whether it has exited though nobody asked for it."""
        return "" if self.program is None else self._died_unasked(self.program)

    def sessions_seen(self) -> tuple[SessionSeen, ...]:
        """The first pair's two connections."""
        for pair in self._pairs[:1]:
            client, near, far, server = pair.ends.values()
            self.facts += resets_told(pair.ends)
            expected = {"client": self.scenario.client_end, "server": self.scenario.server_end}
            return (
                connection_seen("client and relay", expected, client, near),
                connection_seen("relay and server", expected, far, server),
            )
        return ()

    def _client(self, receive_buffer: int | None) -> socket.socket:
        client = socket.socket()
        self.keep(client, client.close)
        if receive_buffer is not None:  # only before connect() does it settle the window
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(self.patience)
        client.connect(self.relay.address)
        return client

    def _accept(self) -> socket.socket:
        self._listener.settimeout(self.patience)
        try:
            server, _ = self._listener.accept()
        except TimeoutError as error:
            raise CheckFailedError(
                f"expected the relay to connect to its upstream within {self._patience:g} s, found that it "
                f"did not; look at the command\n{self.relay.condition()}"
            ) from error
        server.settimeout(self.patience)
        return self.keep(server, server.close)

    def _must_come(self, server: socket.socket) -> None:
        got = b""
        while b"\r\n\r\n" not in got:
            some = server.recv(65536)
            if not some:
                raise CheckFailedError(f"expected a request to come through the relay, found {got!r} and FIN")
            got += some

    def _paired(self, client: socket.socket, server: socket.socket) -> Pair:
        outer = [Endpoint.of((sock.getsockname(), sock.getpeername())) for sock in (client, server)]
        endpoints = (outer[0], outer[0].peer, outer[1].peer, outer[1])
        names = ("client", "relay's client leg", "relay's server leg", "server")
        watched = self._seen.add(*endpoints, names=names)
        pair = Pair(client, server, {end.name: ProxiedEnd.of(end) for end in watched})
        self._pairs.append(pair)
        return pair


def read_body(sock: socket.socket, length: int) -> bytes:
    """The body of an answer, so far as it comes: what follows the header, `length` bytes at most."""
    got = b""
    with contextlib.suppress(OSError):
        while len(got.partition(b"\r\n\r\n")[2]) < length and (some := sock.recv(65536)):
            got += some
    return got.partition(b"\r\n\r\n")[2]


def read_all(sock: socket.socket) -> tuple[bytes, End]:
    """What comes until the connection's end, and that end."""
    got = b""
    try:
        while some := sock.recv(65536):
            got += some
    except TimeoutError:
        return got, End.NOTHING
    except ConnectionError:
        return got, End.RESET
    return got, End.FIN


def released(stage: RelayStage, pair: Pair) -> bool:
    """Wait until the relay's processes hold neither leg of the pair any more; whether that came."""
    legs = {pair.ends["relay's client leg"].endpoint, pair.ends["relay's server leg"].endpoint}

    def free() -> bool:
        rows = (row for row in stage.relay.sockets() if row.endpoint in legs)
        return not any(row.owner for row in rows)

    return wait_until(free, stage.patience)
