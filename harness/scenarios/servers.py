"""Scenarios in which a server is tried: the runner's side is a client behind a proxy.

Each function plays one scenario and returns what speaks against the subject, "" if nothing does. This module
must not know how outcomes are told.
"""

import socket
import threading
from collections.abc import Callable

from harness.contract.items import judge_item
from harness.contract.protocols import Protocol, WrongAnswerError
from harness.contract.report import Outcome
from harness.contract.subject import End, Subject, Terms, exchange, read_end, server_row
from harness.errors import CheckFailedError
from harness.output import wait_until
from harness.proxied import BackgroundProxy
from harness.proxied_session import ProxiedSession
from harness.scenarios.catalogue import Scenario
from harness.scenarios.subjects import ServerSubject
from harness.states import TcpState

Play = Callable[[Scenario, ServerSubject, BackgroundProxy], str]
_CYCLES = 10


class NotApplicableError(Exception):
    """The scenario cannot be played with this subject; says why."""


def clean_client_close(scenario: Scenario, subject: ServerSubject, proxy: BackgroundProxy) -> str:
    """One exchange, then the client closes."""
    client = _connected(subject, proxy)
    if not exchange(subject.protocol, client, subject.program):
        raise NotApplicableError("it closes after each answer")
    client.shutdown(socket.SHUT_WR)
    read = read_end(client)
    return _expect(End.FIN, read) or _ladders(scenario, proxy.session, subject)


def clean_server_close(scenario: Scenario, subject: ServerSubject, proxy: BackgroundProxy) -> str:
    """The server closes first."""
    client = _asked(subject, proxy, _closing(subject))
    read = read_end(client)
    client.close()
    return _expect(End.FIN, read) or _ladders(scenario, proxy.session, subject)


def half_close_request(_scenario: Scenario, subject: ServerSubject, proxy: BackgroundProxy) -> str:
    """FIN right behind the request: the answer must come nevertheless."""
    client = _connected(subject, proxy)
    subject.protocol.send(client)
    client.shutdown(socket.SHUT_WR)
    return _answer(subject.protocol, client)


def half_close_swallowed(_scenario: Scenario, subject: ServerSubject, proxy: BackgroundProxy) -> str:
    """The same with the FIN held until the answer is there."""
    client = _connected(subject, proxy)
    subject.protocol.send(client)
    client.shutdown(socket.SHUT_WR)
    if wrong := _answer(subject.protocol, client):
        return wrong
    proxy.wait_for("fin.held", "client")
    server = proxy.session.server
    server.match("ESTABLISHED")  # takes a fresh look
    if server.state is not TcpState.ESTABLISHED:
        raise NotApplicableError("it closes after each answer")
    proxy.release("client")
    return _expect(End.FIN, read_end(client))


def fin_never_comes(_scenario: Scenario, subject: ServerSubject, proxy: BackgroundProxy) -> str:
    """The server closes, the client never does: nobody may go on holding the server's socket."""
    client = _asked(subject, proxy, _closing(subject))
    if wrong := _expect(End.FIN, read_end(client)):
        return wrong

    if _is_held(subject, proxy.session):
        return f"{proxy.session.server.owner} still holds it in FIN-WAIT-2 after {subject.patience:g} s"
    return ""


def data_after_fin(_scenario: Scenario, subject: ServerSubject, proxy: BackgroundProxy) -> str:
    """The server has closed both ways: bytes from the client meet a reset, and harm nobody else."""
    client = _asked(subject, proxy, _closing(subject))
    if wrong := _expect(End.FIN, read_end(client)):
        return wrong
    if _is_held(subject, proxy.session):
        raise NotApplicableError("it goes on reading after its FIN")
    client.sendall(b"more")
    proxy.session.closed(within=subject.patience)
    _asked(subject, proxy, subject.protocol)
    return "" if subject.program.is_running else "it has exited"


def time_wait_side(_scenario: Scenario, subject: ServerSubject, proxy: BackgroundProxy) -> str:
    """The server is asked to close first, so that all TIME-WAITs are on its side."""
    for _ in range(_CYCLES):
        client = _asked(subject, proxy, _closing(subject))
        read_end(client)
        client.close()
        proxy.session.closed(within=subject.patience)
    wrong = [end for session in proxy.sessions if (end := _last_state(session)) is not TcpState.TIME_WAIT]
    return f"{len(wrong)} of {_CYCLES} ended in {wrong[0]}" if wrong else ""


def at_sigterm(item: str) -> Play:
    """An item of the shutdown contract, played by a fresh start of the server."""

    def play(_scenario: Scenario, subject: ServerSubject, _proxy: BackgroundProxy) -> str:
        _need_a_second_start(subject)
        terms = {"grace": subject.patience, "protocol": subject.protocol, "slow": subject.slow}
        verdict = judge_item(subject.program, item, **terms)
        if verdict.outcome is Outcome.NOT_APPLICABLE:
            raise NotApplicableError(verdict.evidence)
        return verdict.evidence if verdict.outcome is Outcome.FAIL else ""

    return play


def request_after_sigterm(_scenario: Scenario, subject: ServerSubject, _proxy: BackgroundProxy) -> str:
    """A kept connection asks again while the server still finishes a slow request of somebody else."""
    if subject.slow is None:
        raise NotApplicableError("give slow=, a request whose answer takes a while")
    _need_a_second_start(subject)
    with subject.program.again() as program:
        server = Subject(program, Terms(subject.patience, protocol=subject.protocol))
        with server.connection() as kept, server.connection() as busy:
            if not exchange(subject.protocol, kept, program):
                raise NotApplicableError("it closes after each answer")
            subject.slow.send(busy)
            server.has_read_all(busy)
            server.signal()
            server.refuses(subject.patience)  # only now has it certainly seen the signal
            return _asks_again(subject.protocol, kept)


def _need_a_second_start(subject: ServerSubject) -> None:
    if subject.program.has_fixed_port:
        raise NotApplicableError("it has a fixed port, and has to be started anew; put {port} in its command")


def _asks_again(protocol: Protocol, kept: socket.socket) -> str:
    row = server_row(kept)
    has_closed = row is None or row.state is not TcpState.ESTABLISHED
    if has_closed:  # then it has accepted no byte of this request, and a reset would not be its fault
        return _expect(End.FIN, read_end(kept))
    protocol.send(kept)
    return _answer(protocol, kept)


PLAYS: dict[str, Play] = {
    "idle-peer-at-sigterm": at_sigterm("idle"),
    "unused-connection-at-sigterm": at_sigterm("unused"),
    "inflight-at-sigterm": at_sigterm("in-flight"),
    "backlog-at-sigterm": at_sigterm("backlog"),
    "request-after-sigterm": request_after_sigterm,
    "clean-client-close": clean_client_close,
    "clean-server-close": clean_server_close,
    "half-close-request": half_close_request,
    "half-close-swallowed": half_close_swallowed,
    "fin-never-comes": fin_never_comes,
    "data-after-fin": data_after_fin,
    "time-wait-side": time_wait_side,
}


def _connected(subject: ServerSubject, proxy: BackgroundProxy) -> socket.socket:
    client = proxy.connect()
    client.settimeout(subject.patience)
    return client


def _asked(subject: ServerSubject, proxy: BackgroundProxy, protocol: Protocol) -> socket.socket:
    """A connection on which one request was answered.

    Raises:
        CheckFailedError: it was not, though nothing unusual has been done yet.

    """
    client = _connected(subject, proxy)
    exchange(protocol, client, subject.program)
    return client


def _answer(protocol: Protocol, client: socket.socket) -> str:
    try:
        protocol.receive(client)
    except (WrongAnswerError, OSError) as error:
        return f"no complete answer: {error or type(error).__name__}"
    return ""


def _closing(subject: ServerSubject) -> Protocol:
    if subject.closing is None:
        raise NotApplicableError("give closing=, a request that asks it to close afterwards")
    return subject.closing


def _is_held(subject: ServerSubject, session: ProxiedSession) -> bool:
    """Wait until the server's socket has no owner any more; whether it still has one."""
    here = session.server.endpoint

    def held() -> bool:
        rows = (row for row in subject.program.sockets() if row.endpoint == here)
        return any(row.owner is not None for row in rows)

    return not wait_until(lambda: not held(), threading.Event(), subject.patience)


def _expect(wanted: End, read: End) -> str:
    return "" if read is wanted else f"expected {wanted} at the client, found {read}"


def _ladders(scenario: Scenario, session: ProxiedSession, subject: ServerSubject) -> str:
    try:
        session.client.check(scenario.client_end, within=subject.patience)
        session.server.check(scenario.server_end, within=subject.patience)
    except CheckFailedError as error:
        return str(error)
    return ""


def _last_state(session: ProxiedSession) -> TcpState | None:
    session.server.match("ESTABLISHED")  # takes a fresh look
    return session.server.state
