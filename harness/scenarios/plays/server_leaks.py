"""Plays with a server: what it goes on holding when its part is over.

This module must not know how outcomes are told.
"""

import socket
import time

from harness.output import wait_until
from harness.scenarios.server_stage import ServerStage, unless_late
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import NotObservedError, Verdict, failed, passed
from harness.states import TcpState

_ANSWERED = passed("it answered a plain request")


def fin_never_comes(stage: ServerStage) -> Found:
    """The server closes, the client never does: nobody may go on holding the server's socket."""
    _client, session, close = stage.asked_to_close()
    if close.verdict is Verdict.FAIL:
        return Found(_ANSWERED, close)
    if stage.is_held(session):
        held = f"{session.server.owner} still holds it in FIN-WAIT-2 after {stage.subject.patience:g} s"
        return Found(_ANSWERED, failed(held))
    return Found(_ANSWERED, close)


def close_wait_budget(stage: ServerStage) -> Found:
    """So many clients, each of which closes after one exchange."""
    cycles = int(stage.parameters["cycles"])
    for _ in range(cycles):
        stage.kept().shutdown(socket.SHUT_WR)

    def count(state: TcpState) -> int:
        return sum(stage.state(session) is state for session in stage.proxy.sessions)

    def left() -> int:
        return count(TcpState.CLOSE_WAIT)

    began = time.monotonic()
    # Before its FIN has come, no connection is in CLOSE-WAIT either.
    if not wait_until(lambda: not count(TcpState.ESTABLISHED), stage.patience):
        raise NotObservedError("a client's FIN did not arrive at the server")
    if wait_until(lambda: not left(), stage.patience):
        none_left = passed(f"none of {cycles} connections is left in CLOSE-WAIT")
        return Found(_ANSWERED, unless_late(none_left, time.monotonic() - began))
    return Found(_ANSWERED, failed(f"{left()} of {cycles} connections are left in CLOSE-WAIT"))


def fin_delayed_idle(stage: ServerStage) -> Found:
    """The server has closed, the client learns of it later, and closes then."""
    client, session, close = stage.asked_to_close()
    if close.verdict is Verdict.FAIL:
        return Found(_ANSWERED, close)
    stage.fact(f"while its FIN was under way its end was in {stage.state(session)}")
    session.wait_for("fin.sent", "client", within=stage.patience)
    client.shutdown(socket.SHUT_WR)
    session.wait_for("fin.sent", "server", within=stage.patience)
    return Found(_ANSWERED, stage.ladders(session))
