"""Plays with a relay: one flow has ended, the other goes on.

This module must not know how outcomes are told.
"""

import socket
import threading

from harness.contract.subject import End
from harness.scenarios.messages import BODY
from harness.scenarios.plays.relay_closes import exchanged, fin_arrives
from harness.scenarios.relay_stage import ANSWER, RelayStage, read_all
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import Judgement, Verdict, failed, informed, passed

_MORE = b"still sending\n" * 1000


def half_close_request(stage: RelayStage) -> Found:
    """The client half-closes behind its request, the server answers so many seconds after that FIN."""
    pair = stage.asked()
    pair.client.shutdown(socket.SHUT_WR)
    if stage.subject.http:
        close = informed("it relays messages, not the client's FIN")
    else:
        close = fin_arrives(pair.server, "client", "server")
    threading.Event().wait(stage.parameters["answer_delay"])
    try:
        pair.server.sendall(ANSWER)
        pair.server.close()
    except ConnectionError:
        stage.fact("the relay had reset the server's connection before the answer")
    got, end = read_all(pair.client)
    return Found(_whole(got, end), close)


def half_close_response(stage: RelayStage) -> Found:
    """The server ends its flow behind its answer; the client goes on sending, and closes then."""
    pair = exchanged(stage)
    pair.server.shutdown(socket.SHUT_WR)
    arrived = fin_arrives(pair.client, "server", "client")
    try:
        pair.client.sendall(_MORE)
        pair.client.shutdown(socket.SHUT_WR)
    except OSError:  # also ENOTCONN: the reset came between both calls
        stage.fact("the relay had reset the client's connection before it could send on")
    got, end = read_all(pair.server)
    told = f"{len(got)} of {len(_MORE)} bytes came that the client sent after the server's FIN, then {end}"
    if arrived.verdict is Verdict.PASS and end is not End.FIN:
        arrived = failed(f"the client sent FIN, and the server read {end}")
    return Found(passed(told) if got == _MORE else failed(told), arrived)


def _whole(got: bytes, end: End) -> Judgement:
    body = got.partition(b"\r\n\r\n")[2]
    if body == BODY:
        return passed(f"the whole answer came, then {end}")
    return failed(f"{len(body)} of {len(BODY)} bytes of the answer came, then {end}")
