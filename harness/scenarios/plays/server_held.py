"""Plays with a server one of whose closing states lasts, because a FIN segment is kept out.

This module must not know how outcomes are told.
"""

import math
import socket
import time

from harness.errors import CheckFailedError
from harness.output import wait_until
from harness.proxied_session import ProxiedSession
from harness.scenarios.plays.server_sigterm import exits
from harness.scenarios.seeing import came
from harness.scenarios.server_stage import ServerStage, unless_late
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import (
    Judgement,
    NotObservedError,
    Verdict,
    WrongCloseError,
    failed,
    informed,
    passed,
)
from harness.starting import StartError
from harness.states import TcpState


def stuck_fin_wait1(stage: ServerStage) -> Found:
    """The server's first FIN is kept out, and it is asked to end."""
    stage.may_be_ended()
    session = _closed_by_server(stage)
    stage.signal()
    behaviour = exits(stage)
    stage.fact(f"after that its end was in {stage.state(session)}")
    return Found(behaviour, _let_in(stage, session))


def stuck_last_ack(stage: ServerStage) -> Found:
    """The server's second FIN is kept out, it is asked to end, and its successor wants the same port."""
    stage.may_be_ended()
    session, waited = _closed_by_client(stage)
    held = stage.is_held(session)
    stage.signal()
    behaviour = exits(stage)
    if behaviour.verdict is not Verdict.FAIL:
        behaviour = _starts_again(stage, session)
    close = unless_late(_let_in(stage, session), waited)
    return Found(behaviour, failed("it held the socket on after its FIN") if held else close)


def simultaneous_close(stage: ServerStage) -> Found:
    """The server's FIN is kept out until the client's has come in."""
    client, session = _asked_to_close(stage)
    client.shutdown(socket.SHUT_WR)
    _reach(session, "CLOSING", stage)
    close = _let_in(stage, session)
    if close.verdict is Verdict.PASS:
        close = stage.ladders(session)
    stage.asked()
    return Found(passed("it answered before and after"), close)


def lost_fin(stage: ServerStage) -> Found:
    """The client's FIN is kept out for a while."""
    client = stage.kept()
    session = stage.proxy.session_of(client)
    client.shutdown(socket.SHUT_WR)
    _must_be_held(session, "client", stage)
    states = f"client in {session.client.state}, server in {stage.state(session)}"
    stage.fact(f"while the FIN was lost: {states}")
    if not stage.is_established(session):
        return Found(_ANSWERED, informed("its own idle timer closed the connection before the FIN came"))
    session.wait_for("fin.sent", "server", within=stage.patience)
    return Found(_ANSWERED, stage.must_send_fin(session))


def lost_last_ack(stage: ServerStage) -> Found:
    """The server's second FIN is sent again and again; meanwhile others want to be served."""
    session, waited = _closed_by_client(stage)
    held = stage.is_held(session)
    if not wait_until(lambda: _was_sent_again(stage, session), stage.patience):
        raise NotObservedError("its FIN was not seen to be sent again")
    stage.fact("its FIN was sent again")
    stage.asked()
    close = _let_in(stage, session)
    gone = wait_until(lambda: stage.state(session) is TcpState.CLOSED, stage.patience)
    if close.verdict is Verdict.PASS and not gone:
        close = failed(f"its end did not go away, but stayed in {stage.state(session)}")
    served = passed("it served another client meanwhile")
    close = unless_late(close, waited)
    return Found(served, failed("it held the socket on after its FIN") if held else close)


_ANSWERED = passed("it answered a plain request")


def _asked_to_close(stage: ServerStage) -> tuple[socket.socket, ProxiedSession]:
    """The server has been asked to close, and its FIN is kept out."""
    client = stage.asked(stage.closing)
    session = stage.proxy.session_of(client)
    _must_be_held(session, "server", stage)
    _reach(session, "FIN-WAIT-1", stage)
    return client, session


def _closed_by_server(stage: ServerStage) -> ProxiedSession:
    return _asked_to_close(stage)[1]


def _closed_by_client(stage: ServerStage) -> tuple[ProxiedSession, float]:
    """The client has closed, the server so many seconds later, and its FIN is kept out."""
    client = stage.kept()
    session = stage.proxy.session_of(client)
    client.shutdown(socket.SHUT_WR)
    began = time.monotonic()
    _must_be_held(session, "server", stage)
    waited = time.monotonic() - began
    _reach(session, "LAST-ACK", stage)
    return session, waited


def _must_be_held(session: ProxiedSession, leg: str, stage: ServerStage) -> None:
    """Wait for a FIN that is kept out.

    Raises:
        WrongCloseError: none came.
        NotObservedError: it was not kept out.

    """

    def reset() -> bool:
        return came(session, "reset.received", leg)

    wait_until(lambda: came(session, "fin.held", leg) or reset(), stage.patience)
    if not came(session, "fin.held", leg):
        how = "it reset the connection" if reset() else "it sent no FIN"
        raise WrongCloseError(f"{how}; its end is in {stage.state(session)}")
    held = session.wait_for("fin.held", leg)
    if "technique" not in held.fields:
        raise NotObservedError(f"the {leg}'s FIN came in before it could be kept out")


def _reach(session: ProxiedSession, state: str, stage: ServerStage) -> None:
    try:
        session.server.wait_for(state, within=stage.patience)
    except CheckFailedError as error:
        raise NotObservedError(f"its end was not seen in {state}") from error


def _let_in(stage: ServerStage, session: ProxiedSession) -> Judgement:
    """Let the server's FIN in, and see that it comes out at the client."""
    session.release("server")
    # A technique may have to wait for the FIN's next retransmission: not the server's fault.
    close = stage.must_send_fin(session, late_after=math.inf)
    if close.verdict is Verdict.PASS:
        return passed("once its FIN was let in the connection ended in order")
    return close


def _starts_again(stage: ServerStage, session: ProxiedSession) -> Judgement:
    state = stage.state(session)
    try:
        stage.server.again(same_port=True).stop()
    except StartError as error:
        return failed(f"it could not be started again while a connection was in {state}: {error}")
    return passed(f"it ended, and was started again on its port while a connection was in {state}")


def _was_sent_again(stage: ServerStage, session: ProxiedSession) -> bool:
    row = stage.row(session)
    return row is not None and row.timer is not None and row.timer.retransmits > 0
