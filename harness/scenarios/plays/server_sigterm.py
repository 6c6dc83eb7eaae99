"""Plays with a server that is asked to end: who is served, who is told, and whether it exits.

This module must not know how outcomes are told.
"""

import socket
from collections import Counter

from harness.contract.backlog import RESET, WAITING, fates
from harness.contract.protocols import Protocol
from harness.contract.subject import Subject, Terms
from harness.proxied_session import ProxiedSession
from harness.scenarios.freezing import frozen
from harness.scenarios.server_stage import ServerStage
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import (
    Judgement,
    NotObservedError,
    Verdict,
    failed,
    informed,
    non_strict,
    passed,
)


def idle_peer(stage: ServerStage) -> Found:
    """An idle client that never closes."""
    stage.may_be_ended()
    client = stage.kept()
    session = stage.proxy.session_of(client)
    stage.signal()
    exited = exits(stage)
    return Found(exited, stage.must_send_fin(session))


def unused_connection(stage: ServerStage) -> Found:
    """A client that has sent nothing."""
    stage.may_be_ended()
    client = stage.connect()
    session = stage.proxy.session_of(client)
    stage.has_read_all(session)  # it has accepted the connection, if it accepts before bytes come
    stage.signal()
    exited = exits(stage)
    ended = stage.server_end(session)
    return Found(exited, informed(f"the client that had sent nothing read {ended}"))


def inflight(stage: ServerStage) -> Found:
    """A request that is being answered."""
    protocol = stage.request_taking(stage.parameters["answer_delay"])
    stage.may_be_ended()
    client = stage.connect()
    session = stage.proxy.session_of(client)
    _let_it_read(stage, client, session, protocol)
    stage.signal()
    answered = stage.answer(client, protocol)
    close = stage.must_send_fin(session)
    exited = exits(stage)
    return Found(answered if answered.verdict is not Verdict.PASS else exited, close)


def backlog(stage: ServerStage) -> Found:
    """Connections with requests that wait to be accepted: it is stopped while they come."""
    stage.may_be_ended()
    told = Counter(fates(Subject(stage.server, _terms(stage))))
    counted = ", ".join(f"{count} {fate}" for fate, count in told.items())
    behaviour = failed(counted) if told[WAITING] else passed(counted)
    return Found(behaviour, failed(counted) if told[RESET] else passed("it reset none of them"))


def request_after(stage: ServerStage) -> Found:
    """A kept connection asks again while the server still finishes a slow request of somebody else."""
    slow = stage.request_taking(stage.parameters["answer_delay"])
    stage.may_be_ended()
    kept = stage.kept()
    session = stage.proxy.session_of(kept)
    busy = stage.connect()
    _let_it_read(stage, busy, stage.proxy.session_of(busy), slow)
    stage.signal()
    stage.refuses_new()  # only now has it certainly seen the signal
    return _asks_again(stage, kept, session)


def _let_it_read(
    stage: ServerStage, client: socket.socket, session: ProxiedSession, protocol: Protocol
) -> None:
    """Send a request, and wait until the server has taken it in: it is stopped until it has arrived."""
    with frozen(stage.server):
        protocol.send(client)
        arrived = stage.has_to_read(session)
    if not arrived or not stage.has_read_all(session):
        raise NotObservedError("it did not read the request")


def _asks_again(stage: ServerStage, kept: socket.socket, session: ProxiedSession) -> Found:
    """Send a request that is certain to arrive: the server is stopped until it has, or has closed before."""
    with frozen(stage.server):
        is_open = stage.is_established(session)
        if is_open:
            stage.subject.protocol.send(kept)
            stage.has_to_read(session)
    if not is_open:
        return Found(passed("it closed before the request came"), stage.must_send_fin(session))
    answered = stage.answer(kept, stage.subject.protocol)
    return Found(answered, stage.must_send_fin(session))


def exits(stage: ServerStage) -> Judgement:
    """Wait until it ends: within its grace, with the code of a clean end?"""
    ended = stage.exit()
    if ended is None:
        return failed(f"it was still running {stage.grace:g} s after the signal")
    if ended.code not in stage.subject.exit_codes:
        clean = ", ".join(map(str, stage.subject.exit_codes))
        return non_strict(f"it exited with code {ended.code}; clean are {clean}")
    return passed(f"it exited with code {ended.code} within its grace")


def _terms(stage: ServerStage) -> Terms:
    subject = stage.subject
    return Terms(
        grace=stage.grace,
        number=subject.signal,
        protocol=subject.protocol,
        backlog=int(stage.parameters["waiting"]),
    )
