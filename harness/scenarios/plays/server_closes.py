"""Plays with a server: the plain close from either side, and who holds what afterwards.

This module must not know how outcomes are told.
"""

import socket

from harness.contract.subject import End, read_end
from harness.proxied_session import ProxiedSession
from harness.scenarios.server_stage import ServerStage
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import (
    Judgement,
    NotApplicableError,
    Verdict,
    failed,
    informed,
    passed,
)
from harness.states import TcpState

_ANSWERED = passed("it answered a plain request")


def clean_client_close(stage: ServerStage) -> Found:
    """One exchange, then the client closes."""
    client = stage.kept()
    session = stage.proxy.session_of(client)
    client.shutdown(socket.SHUT_WR)
    return Found(_ANSWERED, _fin_and_ladders(stage, session))


def clean_server_close(stage: ServerStage) -> Found:
    """The server closes first."""
    client, session, close = stage.asked_to_close()
    if close.verdict is Verdict.FAIL:
        return Found(_ANSWERED, close)
    read_end(client)  # the proxy has the FIN by now; a client that does not have it yet would close first
    client.shutdown(socket.SHUT_WR)
    return Found(_ANSWERED, _fin_and_ladders(stage, session))


def data_after_fin(stage: ServerStage) -> Found:
    """The server has closed both ways: bytes from the client meet a reset, and harm nobody else."""
    client, session, close = stage.asked_to_close()
    if close.verdict is Verdict.FAIL:
        return Found(_ANSWERED, close)
    if stage.is_held(session):
        raise NotApplicableError("it goes on reading after its FIN")
    client.sendall(b"more")
    session.closed(within=stage.patience)
    close = _met_a_reset(stage.server_end(session))
    stage.asked()
    return Found(passed("it survived, and answered the next client"), close)


def time_wait_side(stage: ServerStage) -> Found:
    """The server is asked to close first, so that all TIME-WAITs are on its side."""
    cycles = int(stage.parameters["cycles"])
    for _ in range(cycles):
        client = stage.asked(stage.closing)
        read_end(client)
        client.close()
        stage.proxy.session.closed(within=stage.patience)
    sessions = stage.proxy.sessions
    servers = sum(stage.state(session) is TcpState.TIME_WAIT for session in sessions)
    clients = sum(session.client.state is TcpState.TIME_WAIT for session in sessions)
    told = f"of {cycles} connections {servers} are in TIME-WAIT at the server, {clients} at the client"
    return Found(_ANSWERED, passed(told) if (servers, clients) == (cycles, 0) else failed(told))


def _fin_and_ladders(stage: ServerStage, session: ProxiedSession) -> Judgement:
    close = stage.must_send_fin(session)
    if close.verdict is Verdict.FAIL:
        return close
    ladders = stage.ladders(session)
    return ladders if ladders.verdict is Verdict.FAIL or close.verdict is Verdict.PASS else close


def _met_a_reset(end: End) -> Judgement:
    if end is End.RESET:
        return passed("its kernel answered the late bytes with a reset")
    return informed(f"the late bytes were answered by no reset, but {end}")
