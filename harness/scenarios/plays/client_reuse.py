"""Plays with a client that keeps a connection, which ends between two requests or during the second.

This module must not know how outcomes are told.
"""

from collections.abc import Callable

from harness.scenarios.client_stage import ClientStage, Script, Seen
from harness.scenarios.messages import ONE, http_answer
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import (
    Judgement,
    NotApplicableError,
    failed,
    informed,
    non_strict,
    passed,
)
from harness.scripted import Peer

_CLOSE = informed("the client's own end has no prescribed way down here")


def fin_right_after_response(stage: ClientStage) -> Found:
    """Each connection ends with its first answer, which does not say so.

    Without a proxy: it would make two segments of answer and FIN, and chance would decide what is seen first.
    """

    def script(peer: Peer) -> None:
        if peer.read_request():
            peer.send_with_fin(http_answer(ONE))
            peer.wait_until_closed()

    server = stage.serve(script)
    seen = stage.watch(stage.start(server), server.requests)
    return Found(_both_answers(stage, seen, failed), _CLOSE)


def fin_crosses_request(stage: ClientStage) -> Found:
    """The first connection's FIN is held: its second request meets a closed socket. Later ones are kept."""
    seen = stage.run(_then(Peer.close, after=1))
    if _posts(seen):
        raise NotApplicableError("only a GET may be repeated, and it sent a POST")
    # Whether a GET is repeated is left to the client: RFC 9112 section 9.3.1 says MAY.
    return Found(_both_answers(stage, seen, non_strict), _CLOSE)


def fin_delayed_idle(stage: ClientStage) -> Found:
    """The same with a FIN that comes after all."""
    return Found(_both_answers(stage, stage.run(_then(Peer.close, after=1)), passed), _CLOSE)


def reset_on_next_packet(stage: ClientStage) -> Found:
    """The second request is answered by a reset."""
    return Found(_both_answers(stage, stage.run(_then(Peer.reset, after=2)), passed), _CLOSE)


def request_delivered_then_fin(stage: ClientStage) -> Found:
    """The second request is read, and answered by a FIN."""
    seen = stage.run(_then(Peer.close, after=2))
    asked_for = max(seen.answers, 2)
    if len(seen.requests) > asked_for and _posts(seen):
        return Found(failed(f"it sent a POST again that had been delivered: {seen.told()}"), _CLOSE)
    return Found(_both_answers(stage, seen, passed), _CLOSE)


def blackhole_after_idle(stage: ClientStage) -> Found:
    """Behind the first answer of each connection nothing moves any more."""

    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.send(http_answer(ONE))

    seen = stage.run(script)
    if seen.ended is None:
        stage.fact("it has no timeout of its own that is shorter than the patience of the play")
    return Found(_both_answers(stage, seen, passed), _CLOSE)


def _then(end: Callable[[Peer], object], *, after: int) -> Script:
    """A server that ends its first connection when it has read so many requests, and answers all others."""

    def script(peer: Peer) -> None:
        count = 0
        while peer.read_request():
            count += 1
            last = peer.number == 1 and count == after
            if not last or after == 1:
                peer.send(http_answer(ONE))
            if last:
                end(peer)
                return

    return script


def _posts(seen: Seen) -> bool:
    return any(line.startswith("POST") for _, line in seen.requests)


def _both_answers(stage: ClientStage, seen: Seen, if_reported: Callable[[str], Judgement]) -> Judgement:
    """Both requests were answered; or an error was reported, which is judged as `if_reported` says.

    Raises:
        NotApplicableError: it asked only once, and was content.

    """
    # A second request may never have come so far as to be counted.
    if seen.reported_success and len(seen.requests) < 2 and not stage.subject.asks_twice:
        raise NotApplicableError("it asks only once")
    if seen.reported_success and seen.answers >= 2:
        return passed(f"it has both answers: {seen.told()}")
    if seen.reported_error:
        return if_reported(f"it reported an error: {seen.told()}")
    return failed(f"it has {seen.answers} of 2 answers and reported no error: {seen.told()}")
