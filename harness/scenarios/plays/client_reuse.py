"""Plays with a client that keeps a connection, which ends between two requests or during the second.

This module must not know how outcomes are told.
"""

from collections.abc import Callable

from harness.scenarios.client_stage import ClientStage, Seen
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
    _need_two_requests(seen)
    return Found(_both(seen, failed), _CLOSE)


def fin_crosses_request(stage: ClientStage) -> Found:
    """The first connection's FIN is held: its second request meets a closed socket. Later ones are kept."""

    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.send(http_answer(ONE))
            if peer.number == 1:
                peer.close()
                return

    seen = stage.run(script)
    if any("POST" in line for _, line in seen.requests):
        raise NotApplicableError("only a GET may be repeated, and it sent a POST")
    # Whether a GET is repeated is left to the client: RFC 9112 section 9.3.1 says MAY.
    _need_two_requests(seen)
    return Found(_both(seen, non_strict), _CLOSE)


def _need_two_requests(seen: Seen) -> None:
    if seen.reported_success and len(seen.requests) < 2:
        raise NotApplicableError("it asks only once")


def _both(seen: Seen, if_told: Callable[[str], Judgement]) -> Judgement:
    if seen.reported_success and seen.answers >= 2:
        return passed(f"it has both answers: {seen.told()}")
    if seen.reported_error:
        return if_told(f"it reported an error instead of repeating the request: {seen.told()}")
    return failed(f"it has {seen.answers} of 2 answers and reported no error: {seen.told()}")
