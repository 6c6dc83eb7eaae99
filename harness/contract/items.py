"""The items of the contract, grouped into scenes: one start of the server, one situation at the signal.

This module must not know how the verdicts are told.
"""

import socket
from collections.abc import Callable, Iterator
from typing import Any

from harness.contract import backlog
from harness.contract.protocols import Answer, WrongAnswerError
from harness.contract.report import ContractReport, ItemVerdict, Outcome
from harness.contract.subject import End, Subject, Terms, exchange, read_end
from harness.program import Exit, Program
from harness.starting import StartError

ITEMS = {
    "idle": "exits within its grace with an idle keep-alive client",
    "idle-fin": "closes idle connections with FIN, not RST",
    "exit-code": "exits with the code of a clean end",
    "sockets": "leaves no socket but TIME-WAIT",
    "rebinds": "can listen on the same port again at once",
    "unused": "exits within its grace with a client that sent nothing",
    "in-flight": "finishes the request in flight",
    "says-close": "says that it closes, or sends FIN right after the answer",
    "refuses": "takes no new connection",
    "backlog": "answers or refuses what waits to be accepted, and resets none of it",
}

Scene = Callable[[Subject], Iterator[ItemVerdict]]
_NO_SLOW = "give slow=, a request whose answer takes a while"
_AFTER_ANSWER = 2.0
"""Seconds in which a FIN still counts as right after the answer."""
_AFTER_EXIT = 2.0
"""Seconds in which the FIN of a process that has exited is seen; the kernel has sent it before."""


def judge_shutdown(program: Program, **terms: Any) -> ContractReport:
    """Judge a running server by all items. It is ended, and started again for each scene.

    `terms` are the fields of `Terms`: grace, number (of the signal), protocol, slow, exit_codes, backlog.

    Raises:
        CheckFailedError: it does not answer even before it is signalled.
        StartError: it cannot be started a second time.

    """
    asked = Terms(**terms)
    verdicts: list[ItemVerdict] = []
    for number, scene in enumerate(_SCENES):
        running = program if number == 0 else program.again()
        with running:
            verdicts += scene(Subject(running, asked))
    order = list(ITEMS)
    verdicts.sort(key=lambda verdict: order.index(verdict.item))
    return ContractReport(str(program), tuple(verdicts))


def judge_item(program: Program, item: str, **terms: Any) -> ItemVerdict:
    """Judge one item by a fresh start of a program that chooses its port; the running one is left alone.

    Raises:
        StartError: it cannot be started a second time.

    """
    scene = next(scene for scene, items in _SCENES.items() if item in items)
    with program.again() as running:
        return next(verdict for verdict in scene(Subject(running, Terms(**terms))) if verdict.item == item)


def _idle(subject: Subject) -> Iterator[ItemVerdict]:
    with subject.connection() as sock:
        keeps = exchange(subject.terms.protocol, sock, subject.program)
        if not keeps:
            sock.close()  # nobody can be idle with this server
        subject.signal()
        ended = subject.exit()
        if keeps:
            yield _exits("idle", ended, subject)
            yield _idle_fin(ended, sock)
        else:
            yield from (_moot(item, "it closes after each answer") for item in ("idle", "idle-fin"))
    yield _exit_code(ended, subject)
    yield from _after(ended, subject)


def _idle_fin(ended: Exit | None, sock: socket.socket) -> ItemVerdict:
    if ended is None:
        return _moot("idle-fin", "it did not exit")
    sock.settimeout(_AFTER_EXIT)
    found = read_end(sock)
    return _judged("idle-fin", found is End.FIN, f"the client read {found}")


def _exit_code(ended: Exit | None, subject: Subject) -> ItemVerdict:
    if ended is None:
        return _moot("exit-code", "it did not exit")
    wanted = ", ".join(map(str, subject.terms.exit_codes))
    return _judged("exit-code", ended.code in subject.terms.exit_codes, f"{ended.code} (clean are: {wanted})")


def _after(ended: Exit | None, subject: Subject) -> Iterator[ItemVerdict]:
    """What is left of it, and whether a successor can take its place."""
    if ended is None:
        yield from (_moot(item, "it did not exit") for item in ("sockets", "rebinds"))
        return
    left = subject.remains()
    yield _judged("sockets", not left, "; ".join(left) or "none")
    try:
        subject.program.again(same_port=True).stop()
    except StartError as error:
        yield _judged("rebinds", ok=False, evidence=str(error).replace("\n", " | "))
    else:
        yield _judged("rebinds", ok=True, evidence="it was started again on the same port")


def _unused(subject: Subject) -> Iterator[ItemVerdict]:
    with subject.connection():
        subject.signal()
        yield _exits("unused", subject.exit(), subject)


def _in_flight(subject: Subject) -> Iterator[ItemVerdict]:
    slow = subject.terms.slow
    if slow is None:
        yield from (_moot(item, _NO_SLOW) for item in ("in-flight", "says-close"))
        subject.signal()
        yield _refuses(subject)
        return
    with subject.connection() as sock:
        slow.send(sock)
        if not subject.has_read_all(sock):
            yield from (_moot(item, "it did not read the request") for item in ("in-flight", "says-close"))
            return
        subject.signal()
        refuses = _refuses(subject)
        try:
            answer = slow.receive(sock)
        except (WrongAnswerError, OSError) as error:
            yield _judged(
                "in-flight", ok=False, evidence=f"no complete answer: {error or type(error).__name__}"
            )
            yield _moot("says-close", "there was no answer")
        else:
            yield _judged("in-flight", ok=True, evidence=answer.text)
            yield _says_close(subject, sock, answer)
    yield refuses


def _says_close(subject: Subject, sock: socket.socket, answer: Answer) -> ItemVerdict:
    if answer.closes:
        return _judged("says-close", ok=True, evidence="the answer says so")
    sock.settimeout(_AFTER_ANSWER)
    found = read_end(sock)
    if not subject.terms.protocol.announces_close and found is not End.FIN:
        return _moot("says-close", f"the protocol cannot say it; the client read {found} after the answer")
    return _judged(
        "says-close", found is End.FIN, f"the answer does not say so; then the client read {found}"
    )


def _refuses(subject: Subject) -> ItemVerdict:
    ok = subject.refuses(subject.terms.grace)
    return _judged("refuses", ok, "a new client was refused" if ok else "a new client still got in")


def _backlog(subject: Subject) -> Iterator[ItemVerdict]:
    ends = backlog.fates(subject)
    counted = ", ".join(f"{ends.count(end)} {end}" for end in dict.fromkeys(ends))
    yield _judged("backlog", not {backlog.RESET, backlog.WAITING} & set(ends), counted)


def _exits(item: str, ended: Exit | None, subject: Subject) -> ItemVerdict:
    if ended is None:
        evidence = f"still running after {subject.terms.grace:g} s: " + "; ".join(
            subject.program.last_lines(3).splitlines()
        )
    else:
        evidence = f"after {ended.seconds:.2f} s"
    return _judged(item, ended is not None, evidence)


def _judged(item: str, ok: bool, evidence: str) -> ItemVerdict:
    return ItemVerdict(item, ITEMS[item], Outcome.PASS if ok else Outcome.FAIL, evidence)


def _moot(item: str, why: str) -> ItemVerdict:
    return ItemVerdict(item, ITEMS[item], Outcome.NOT_APPLICABLE, why)


_SCENES: dict[Scene, tuple[str, ...]] = {
    _idle: ("idle", "idle-fin", "exit-code", "sockets", "rebinds"),
    _unused: ("unused",),
    _in_flight: ("in-flight", "says-close", "refuses"),
    _backlog: ("backlog",),
}
