"""Plays with a server: the client's flow has ended, the server's goes on.

This module must not know how outcomes are told.
"""

import socket

from harness.contract.subject import End
from harness.errors import CheckFailedError
from harness.output import wait_until
from harness.proxied_session import ProxiedSession
from harness.scenarios.freezing import frozen
from harness.scenarios.seeing import came
from harness.scenarios.server_stage import ServerStage
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import NotApplicableError, NotObservedError, Verdict, failed, informed, passed


def half_close_request(stage: ServerStage) -> Found:
    """FIN right behind the request: the answer must come nevertheless.

    The server is stopped until both have arrived: whether it would have been faster than the FIN is chance.
    """
    protocol = stage.request_taking(stage.parameters["answer_delay"])
    client = stage.connect()
    session = stage.proxy.session_of(client)
    with frozen(stage.server):
        protocol.send(client)
        client.shutdown(socket.SHUT_WR)
        try:
            session.server.wait_for("CLOSE-WAIT", within=stage.patience)
        except CheckFailedError as error:
            raise NotObservedError("the client's FIN did not arrive at the server") from error
    answered = stage.answer(client, protocol)
    return Found(answered, stage.must_send_fin(session))


def half_close_swallowed(stage: ServerStage) -> Found:
    """The same with the FIN held until the answer is there."""
    protocol = stage.subject.protocol
    client = stage.connect()
    session = stage.proxy.session_of(client)
    protocol.send(client)
    client.shutdown(socket.SHUT_WR)
    answered = stage.answer(client, protocol)
    if answered.verdict is not Verdict.PASS:
        return Found(answered, stage.must_send_fin(session))
    session.wait_for("fin.held", "client", within=stage.patience)
    if not stage.is_established(session):
        raise NotApplicableError("it closes after each answer")
    session.release("client")
    return Found(answered, stage.must_send_fin(session))


def half_close_response(stage: ServerStage) -> Found:
    """The server's flow has ended; bytes of the client still come. Whether it reads them is reported."""
    client, session, close = stage.asked_to_close()
    if close.verdict is Verdict.FAIL:
        return Found(_ANSWERED, close)
    with frozen(stage.server):
        client.sendall(b"more")
        came = wait_until(lambda: _came(stage, session), stage.patience)
    if stage.server_end(session) is End.RESET:
        return Found(_ANSWERED, informed("it had closed both ways: the late bytes met a reset"))
    if not came or not stage.has_read_all(session):
        stage.fact("it left the late bytes unread")
    client.shutdown(socket.SHUT_WR)
    if stage.is_held(session):
        return Found(_ANSWERED, failed("both flows have ended, and it still holds the socket"))
    return Found(_ANSWERED, informed("it went on reading after its FIN, and let go of the socket in the end"))


_ANSWERED = passed("it answered a plain request")


def _came(stage: ServerStage, session: ProxiedSession) -> bool:
    """Whether the late bytes have arrived: they wait to be read, or were answered by a reset."""
    row = stage.row(session)
    return bool(row and row.receive_queue) or came(session, "reset.received", "server")
