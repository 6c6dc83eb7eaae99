"""Plays with a server: the client's flow has ended, the server's goes on.

This module must not know how outcomes are told.
"""

import socket

from harness.errors import CheckFailedError
from harness.scenarios.freezing import frozen
from harness.scenarios.server_stage import ServerStage
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import NotApplicableError, NotObservedError, Verdict


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
