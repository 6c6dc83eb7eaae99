"""Plays with a relay: the plain close from either side.

This module must not know how outcomes are told.
"""

import contextlib
import socket

from harness.contract.subject import End, read_end
from harness.scenarios.messages import BODY
from harness.scenarios.relay_stage import ANSWER, Pair, RelayStage, read_body, released
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import Judgement, NotApplicableError, Verdict, failed, passed


def clean_client_close(stage: RelayStage) -> Found:
    """One exchange, then the client closes, then the server."""
    pair = exchanged(stage)
    return Found(_RELAYED, _closed_in_turn(stage, pair, "client", "server"))


def clean_server_close(stage: RelayStage) -> Found:
    """One exchange, then the server closes, then the client."""
    pair = exchanged(stage)
    return Found(_RELAYED, _closed_in_turn(stage, pair, "server", "client"))


def data_after_fin(stage: RelayStage) -> Found:
    """The server has closed both ways; what the client still sends meets a reset, and harms nobody else."""
    pair = exchanged(stage)
    pair.server.close()
    stage.fact(f"when the server had closed, the client read {read_end(pair.client)}")
    with contextlib.suppress(ConnectionError):
        pair.client.sendall(b"more")
    with contextlib.suppress(TimeoutError):
        pair.ends["relay's server leg"].wait_for("CLOSED", within=stage.patience)
    pair.client.close()
    gone = released(stage, pair)
    exchanged(stage)
    close = (
        passed("it let go of both legs") if gone else failed("it still holds a leg of the dead connection")
    )
    return Found(passed("it survived, and relayed the next connection"), close)


_RELAYED = passed("it relayed a request and its answer")


def exchanged(stage: RelayStage) -> Pair:
    """A connection over which a request and its answer went."""
    if stage.subject.http:
        raise NotApplicableError("it relays messages of HTTP, not connections")
    pair = stage.asked()
    pair.server.sendall(ANSWER)
    if read_body(pair.client, len(BODY)) != BODY:
        raise NotApplicableError("the answer to a plain request did not come through it")
    return pair


def fin_arrives(sock: socket.socket, sender: str, receiver: str) -> Judgement:
    """Whether an end's FIN comes out as a FIN at the other end."""
    found = read_end(sock)
    if found is End.FIN:
        return passed(f"the {sender}'s FIN came out at the {receiver} as FIN")
    return failed(f"the {sender} sent FIN, and the {receiver} read {found}")


def _closed_in_turn(stage: RelayStage, pair: Pair, first: str, second: str) -> Judgement:
    """Each end sends its FIN once the other's has come out, and both take their ladders."""
    socks = {"client": pair.client, "server": pair.server}
    for sender, receiver in ((first, second), (second, first)):
        socks[sender].shutdown(socket.SHUT_WR)
        came = fin_arrives(socks[receiver], sender, receiver)
        if came.verdict is not Verdict.PASS:
            return came  # after a reset there is nothing left to be shut down
    return _ladders(stage, pair)


def _ladders(stage: RelayStage, pair: Pair) -> Judgement:
    if wrong := stage.ladders_of(pair.ends):
        return failed(wrong)
    if not released(stage, pair):
        return failed("both ends have closed, and it still holds a leg")
    return passed("it passed both FINs on, and let go of both legs")
