"""Plays with a client that half-closes behind its request.

This module must not know how outcomes are told.
"""

from harness.scenarios.client_stage import ClientStage
from harness.scenarios.messages import ONE, http_answer
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import NotApplicableError, failed, informed, passed
from harness.scripted import Peer

_CLOSE = informed("the client's own end has no prescribed way down here")


def half_close_as_abort(stage: ClientStage) -> Found:
    """Whoever is between ends both flows on the client's FIN: no byte of the answer comes."""
    kept_open: list[Peer] = []

    def script(peer: Peer) -> None:
        if not peer.read_request():
            return
        peer.socket.settimeout(stage.parameters["wait"])
        try:
            peer.wait_until_closed()
        except TimeoutError:
            kept_open.append(peer)
            peer.send(http_answer(ONE, close=True))

    seen = stage.run(script, times=1)
    if kept_open:
        raise NotApplicableError("it does not half-close behind its request")
    if seen.reported_error:
        return Found(passed(f"it reported an error: {seen.told()}"), _CLOSE)
    if seen.ended is None:
        return Found(failed(seen.told()), _CLOSE)
    return Found(failed(f"it took the lost answer for an empty one: {seen.told()}"), _CLOSE)
