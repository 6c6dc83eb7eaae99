"""What becomes of connections that wait to be accepted when the signal comes, in an order that is forced.

A server that runs accepts them before anybody can signal it, and one that is let go somehow takes what it
finds by chance: its timer or its listener first, its parent or its workers. So it is stopped while clients
connect and ask, and kept stopped until its timers are due; then the signalled process goes on, and the others
once that one rests. What it does then is its own doing, and the same each time.

This module must not know how the fates are judged.
"""

import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

from harness.contract.protocols import WrongAnswerError
from harness.contract.subject import Subject, has_arrived
from harness.output import wait_until
from harness.program import Program

ANSWERED, CLOSED, RESET, WAITING = "answered", "closed without an answer", "reset", "left waiting"

_TIMERS_ARE_DUE = 0.5
"""Seconds of being stopped after which a server's ticks are overdue. uvicorn, hypercorn and redis look at
their signals ten times a second: whether the tick comes before the accept decides about those who wait."""
_SETTLES_WITHIN = 5.0


def fates(subject: Subject) -> list[str]:
    """Let `terms.backlog` clients connect and ask, signal the server, and say how each of them fared."""
    program = subject.program
    due = _stop(program)
    with ExitStack() as stack:
        try:
            clients = [stack.enter_context(client) for client in _waiting(subject)]
            program.ended.wait(max(0.0, due - time.monotonic()))
            subject.signal()
        finally:
            _go_on(program)
        return [_fate(subject, client) for client in clients]


def _stop(program: Program) -> float:
    """Stop all its processes; the moment at which their timers are due."""
    program.signal_all(signal.SIGSTOP)
    _settles(program, lambda: set(program.statuses.values()) <= {"stopped"})
    return time.monotonic() + _TIMERS_ARE_DUE


def _waiting(subject: Subject) -> list[socket.socket]:
    """Clients whose requests the kernel has accepted: as many as asked for, or as its backlog takes."""
    clients: list[socket.socket] = []
    try:
        while len(clients) < subject.terms.backlog:
            clients.append(subject.program.connect(subject.terms.grace))
    except TimeoutError:
        pass  # its backlog is full: this one was never let in, and is owed nothing
    for client in clients:
        subject.terms.protocol.send(client)
    _settles(subject.program, lambda: all(map(has_arrived, clients)))
    return clients


def _go_on(program: Program) -> None:
    """First the process that was signalled, until it rests: it has told its workers then, if it has any."""
    if program.is_running:
        program.signal(signal.SIGCONT)
    _settles(program, lambda: program.statuses.get(program.pid) in {None, "sleeping"})
    program.signal_all(signal.SIGCONT)


def _settles(program: Program, done: Callable[[], bool]) -> None:
    wait_until(done, _SETTLES_WITHIN, program.ended)


def _fate(subject: Subject, client: socket.socket) -> str:
    try:
        subject.terms.protocol.receive(client)
    except TimeoutError:
        return WAITING
    except ConnectionError:
        return RESET
    except WrongAnswerError:
        return CLOSED
    return ANSWERED
