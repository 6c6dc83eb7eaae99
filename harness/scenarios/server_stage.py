"""What plays with a server work with: the running server behind a proxy, requests, its signal, its exit.

This module must not know any scenario.
"""

import signal
import socket
import time
from collections.abc import Mapping
from functools import cached_property

from harness.background import Background
from harness.contract.protocols import Protocol, WrongAnswerError
from harness.contract.subject import End, exchange
from harness.output import wait_until
from harness.program import Exit, Program, StillRunningError
from harness.proxied import BackgroundProxy
from harness.proxied_session import ProxiedSession
from harness.rows import SocketRow
from harness.scenarios.scenario import Scenario
from harness.scenarios.seeing import came
from harness.scenarios.stage import Stage
from harness.scenarios.subjects import ServerSubject
from harness.scenarios.verdicts import (
    Judgement,
    NotApplicableError,
    Verdict,
    failed,
    non_strict,
    passed,
)
from harness.states import TcpState

_LATE_AFTER = 2.0
"""Seconds after which the end of a connection counts as late. The rule, in all scenarios with a server: what
is due and comes within these seconds is a PASS. What comes later, but within the subject's patience, is
NON-STRICT: a timer of the server has closed, not the end of its work. What does not come at all is a FAIL."""


class ServerStage(Stage):
    """One play with a server. The runner is the client, with plain sockets, through a proxy."""

    def __init__(
        self,
        scenario: Scenario,
        parameters: Mapping[str, float],
        background: Background,
        subject: ServerSubject,
    ) -> None:
        super().__init__(scenario, parameters, background, subject.patience)
        self.subject = subject
        self._may_exit = False

    # --- the server -------------------------------------------------------------------------------

    @cached_property
    def server(self) -> Program:
        """The running server.

        Raises:
            StartError: it did not start.

        """
        given = self.subject.program
        if isinstance(given, Program):
            self.program = given
        else:
            self.program = given()
            self.keep(self.program, self.program.stop)
        return self.program

    def may_be_ended(self) -> None:
        """Use a server that this play may end: a fresh one, unless each play has its own anyway.

        Raises:
            NotApplicableError: a second one cannot run beside the one that was given.

        """
        given = self.subject.program
        if isinstance(given, Program):
            if given.has_fixed_port:
                raise NotApplicableError(
                    "it has a fixed port, and has to be started anew; put {port} in its command"
                )
            program = given.again()
            self.program = self.keep(program, program.stop)
            self.server = program  # a cached_property can be set beforehand
        self._may_exit = True

    def signal(self) -> None:
        """Ask it to end."""
        self.fact(f"it was asked to end by {signal.Signals(self.subject.signal).name}")
        self.server.signal(self.subject.signal)

    @property
    def grace(self) -> float:
        """Seconds that its shutdown may take."""
        return self._patience if self.subject.grace is None else self.subject.grace

    def exit(self) -> Exit | None:
        """How it exited; None if it did not within its grace."""
        try:
            ended = self.server.exits(within=self.grace)
        except StillRunningError:
            self.fact(f"it was still running after {self.grace:g} s")
            return None
        self.fact(f"it exited with code {ended.code}, {ended.seconds:.2f} s after the signal")
        return ended

    def refuses_new(self) -> bool:
        """Wait until nobody can connect to it any more; whether that came."""
        return wait_until(lambda: not _accepts(self.server), self.grace)

    def died(self) -> str:
        """Whether it has exited though nobody asked for it."""
        return "" if self._may_exit or self.program is None else self._died_unasked(self.program)

    # --- the client -------------------------------------------------------------------------------

    @cached_property
    def proxy(self) -> BackgroundProxy:
        """The proxy between the client and the server."""
        return self.open_proxy(self.server)

    def connect(self) -> socket.socket:
        """A client's connection; its session is open."""
        client = self.proxy.connect(self.patience)
        client.settimeout(self.patience)
        return client

    def asked(self, protocol: Protocol | None = None) -> socket.socket:
        """A connection on which one request was answered.

        Raises:
            CheckFailedError: it was not, though nothing unusual has been done yet.

        """
        client = self.connect()
        exchange(protocol or self.subject.protocol, client, self.server)
        return client

    def asked_to_close(self) -> tuple[socket.socket, ProxiedSession, Judgement]:
        """A connection whose request asks the server to close, its session, and whether it then sent its FIN.

        Raises:
            CheckFailedError: it did not answer, though nothing unusual has been done yet.

        """
        client = self.asked(self.closing)
        session = self.proxy.session_of(client)
        return client, session, self.must_send_fin(session)

    def kept(self) -> socket.socket:
        """A connection on which one request was answered, and which the server keeps.

        Raises:
            CheckFailedError: as above.
            NotApplicableError: it closes after each answer.

        """
        client = self.connect()
        if not exchange(self.subject.protocol, client, self.server):
            raise NotApplicableError("it closes after each answer")
        return client

    @property
    def closing(self) -> Protocol:
        """The request that asks it to close.

        Raises:
            NotApplicableError: it has none.

        """
        if self.subject.closing is None:
            raise NotApplicableError("give closing=, a request that asks it to close afterwards")
        return self.subject.closing

    def request_taking(self, seconds: float) -> Protocol:
        """The request whose answer takes so long.

        Raises:
            NotApplicableError: it has none.

        """
        found = self.subject.request_taking(seconds)
        if found is None:
            raise NotApplicableError("give slow=, a request whose answer takes a while")
        return found

    def answer(self, client: socket.socket, protocol: Protocol) -> Judgement:
        """Whether the whole answer comes."""
        try:
            return passed(f"it answered: {protocol.receive(client).text}")
        except TimeoutError:
            return failed(f"no complete answer within {self._patience:g} s")
        except (WrongAnswerError, OSError) as error:
            return failed(f"no complete answer: {error or type(error).__name__}")

    # --- the server's end -------------------------------------------------------------------------

    def state(self, session: ProxiedSession) -> TcpState | None:
        """The state of the server's end now."""
        session.server.match("ESTABLISHED")  # takes a fresh look
        return session.server.state

    def row(self, session: ProxiedSession) -> SocketRow | None:
        """What the kernel shows of the server's end now; None once it has forgotten it."""
        return None if self.state(session) is TcpState.CLOSED else session.server.row

    def is_established(self, session: ProxiedSession) -> bool:
        """Whether the server's end has seen no FIN and sent none."""
        return self.state(session) is TcpState.ESTABLISHED

    def has_read_all(self, session: ProxiedSession) -> bool:
        """Wait until the server has accepted the connection and read what was sent; whether it has."""

        def is_read() -> bool:
            row = self.row(session)
            return row is not None and bool(row.inode) and not row.receive_queue

        return wait_until(is_read, self.patience)

    def has_to_read(self, session: ProxiedSession) -> bool:
        """Wait until something that was sent waits at the server's end; whether it does."""
        return wait_until(lambda: bool((row := self.row(session)) and row.receive_queue), self.patience)

    def is_held(self, session: ProxiedSession) -> bool:
        """Wait until no process holds the server's end any more; whether one still does."""
        here = session.server.endpoint

        def held() -> bool:
            rows = (row for row in self.server.sockets() if row.endpoint == here)
            return any(row.owner is not None for row in rows)

        return not wait_until(lambda: not held(), self.patience)

    def server_end(self, session: ProxiedSession) -> End:
        """Wait for the end of the server's flow: what the proxy received. A reset after a FIN counts."""
        wait_until(lambda: _has_ended(session), self.patience)
        if came(session, "reset.received", "server"):
            return End.RESET
        return End.FIN if came(session, "fin.received", "server") else End.NOTHING

    def must_send_fin(self, session: ProxiedSession, *, late_after: float = _LATE_AFTER) -> Judgement:
        """Whether the server ends its flow as it should, now that nothing is left to be waited for."""
        began = time.monotonic()
        found = self.server_end(session)
        waited = time.monotonic() - began
        if found is End.FIN:
            return unless_late(passed("it sent its FIN"), waited, late_after)
        if found is End.RESET:
            return failed("it reset the connection")
        return failed(f"it sent no FIN within {self._patience:g} s; its end is in {self.state(session)}")

    def ladders(self, session: ProxiedSession) -> Judgement:
        """Whether both ends take the ladders that are prescribed; what can still come is waited for."""
        wrong = self.ladders_of(session.ends)
        return failed(wrong) if wrong else passed("it sent its FIN, and both ends took their ladders")


def unless_late(found: Judgement, waited: float, late_after: float = _LATE_AFTER) -> Judgement:
    """A pass that has taken so many seconds is one only if they were not too many."""
    if found.verdict is Verdict.PASS and waited > late_after:
        return non_strict(f"{found.reason}, but only after {waited:.1f} s")
    return found


def _has_ended(session: ProxiedSession) -> bool:
    return came(session, "fin.received", "server") or came(session, "reset.received", "server")


def _accepts(program: Program) -> bool:
    try:
        program.connect(1.0).close()
    except ConnectionError:
        return False
    except OSError:
        return True  # a SYN that is not answered is not refused either
    return True
