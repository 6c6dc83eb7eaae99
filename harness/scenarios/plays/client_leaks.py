"""Plays with a client: what it goes on holding while it goes on asking.

This module must not know how outcomes are told.
"""

from harness.contract.subject import server_row
from harness.scenarios.client_stage import ClientStage
from harness.scenarios.messages import ONE, http_answer
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import Judgement, NotApplicableError, failed, passed
from harness.scripted import Peer
from harness.states import TcpState


def close_wait_budget(stage: ClientStage) -> Found:
    """Each connection ends with its first answer; at each request those before it are looked at."""
    if not stage.subject.asks_as_told:
        raise NotApplicableError("put {urls} in its command: it has to ask several times")
    peers: list[Peer] = []
    counts: list[int] = []

    def script(peer: Peer) -> None:
        if peer.read_request():
            counts.append(sum(_is_in_close_wait(each) for each in peers))
            peers.append(peer)
            peer.send_with_fin(http_answer(ONE))
            peer.wait_until_closed()

    server = stage.serve(script)
    cycles = int(stage.parameters["cycles"])
    seen = stage.watch(stage.start(server, times=cycles), server.requests)
    stage.fact(f"in CLOSE-WAIT at each of its requests: {', '.join(map(str, counts))}")
    if seen.reported_success and seen.answers >= cycles:
        behaviour = passed(f"it has all {cycles} answers: {seen.told()}")
    else:
        behaviour = failed(f"it has {seen.answers} of {cycles} answers: {seen.told()}")
    return Found(behaviour, _within_budget(max(counts, default=0), int(stage.parameters["budget"])))


def _within_budget(most: int, budget: int) -> Judgement:
    told = f"it had at most {most} of its sockets in CLOSE-WAIT; {budget} is its budget"
    return passed(told) if most <= budget else failed(told)


def _is_in_close_wait(peer: Peer) -> bool:
    """Whether the client's end of this connection is."""
    try:
        row = server_row(peer.socket)  # the row of whoever is at the other end
    except OSError:
        return False  # both have closed
    return row is not None and row.state is TcpState.CLOSE_WAIT
