"""Plays with a client: its answer is cut, by FIN, RST or the server's death.

This module must not know how outcomes are told.
"""

import sys

from harness.program import Program
from harness.scenarios.client_stage import ClientStage, Seen
from harness.scenarios.messages import BODY, HALF, http_answer
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import Judgement, failed, informed, passed
from harness.scripted import Peer

_CLOSE = informed("the client's own end has no prescribed way down here")

_KILLED_SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
sock = listener.accept()[0]
sock.recv(65536)
sock.sendall({half!r})
print("sent", flush=True)
sock.recv(65536)
"""


def cut_body(stage: ClientStage) -> Found:
    """The answer is cut in the middle: success would be a lie."""
    with_length = stage.scenario.name != "rst-close-delimited"

    def script(peer: Peer) -> None:
        if peer.read_request():
            peer.send(http_answer(BODY, with_length=with_length))
            peer.wait_until_closed()

    return Found(_must_fail(stage.run(script)), _CLOSE)


def reset_after_body(stage: ClientStage) -> Found:
    """The body is complete, a reset follows: the whole of it or an error, but not less in silence."""

    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.send(http_answer(BODY, close=True))
            peer.fin()

    seen = stage.run(script)
    return Found(_whole_or_error(seen), _CLOSE)


def sigkill_peer(stage: ClientStage) -> Found:
    """The server dies in the middle of its answer."""
    code = _KILLED_SERVER.format(half=http_answer(BODY)[: HALF + 100])
    server = Program(sys.executable, "-c", code, "{port}")
    stage.keep(server, server.stop)
    client = stage.start(stage.open_proxy(server))
    server.says("sent", within=stage.patience)
    server.kill()
    return Found(_must_fail(stage.watch(client, [])), _CLOSE)


def _must_fail(seen: Seen) -> Judgement:
    if seen.reported_error:
        return passed(f"it reported an error: {seen.told()}")
    if seen.ended is None:
        return failed(seen.told())
    return failed(f"it reported success without the whole body: {seen.told()}")


def _whole_or_error(seen: Seen) -> Judgement:
    if seen.ended is None:
        return failed(seen.told())
    if BODY.decode() in seen.output:
        return passed(f"it has the whole body: {seen.told()}")
    if seen.reported_error:
        return passed(f"it reported an error: {seen.told()}")
    return failed(f"it reported success without the whole body: {seen.told()}")
