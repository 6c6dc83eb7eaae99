"""Plays with a relay: the server's answer is cut; what came must come out, and the end as what it was.

This module must not know how outcomes are told.
"""

import socket
import struct

from harness.contract.subject import End, read_end
from harness.errors import CheckFailedError
from harness.output import wait_until
from harness.scenarios.freezing import frozen
from harness.scenarios.messages import BODY, http_answer, upload_head
from harness.scenarios.relay_stage import ANSWER, Pair, RelayStage, read_all, read_body
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import (
    Judgement,
    NotApplicableError,
    NotObservedError,
    failed,
    non_strict,
    passed,
)

_HALF = len(BODY) // 2
_LINGER_ZERO = struct.pack("ii", 1, 0)


def fin_mid_body(stage: RelayStage) -> Found:
    """The server ends its flow in the middle of a body."""
    pair = stage.asked()
    pair.server.sendall(ANSWER[: _HALF - len(BODY)])
    pair.server.shutdown(socket.SHUT_WR)
    got, end = read_all(pair.client)
    close = passed("FIN came out as FIN") if end is End.FIN else failed(f"FIN came out as {end}")
    if stage.subject.http and end is End.RESET:
        close = passed("it reset the client's connection, since the message was incomplete")
    return Found(_as_sent(got.partition(b"\r\n\r\n")[2]), close)


def rst_mid_response(stage: RelayStage) -> Found:
    """The server resets once the client has half of the body, so that only the end is in question."""
    with_length = stage.scenario.name != "rst-close-delimited"
    pair = stage.asked()
    pair.server.sendall(http_answer(BODY, with_length=with_length)[: _HALF - len(BODY)])
    body = read_body(pair.client, _HALF)
    _reset(pair.server)
    end = read_end(pair.client)
    if end is End.RESET:
        return Found(_as_sent(body), passed("RST came out as RST"))
    if end is End.FIN and with_length:
        # The header tells the client that something is missing.
        return Found(_as_sent(body), non_strict("RST came out as FIN: an abort looks like a proper end"))
    return Found(_as_sent(body), failed(f"RST came out as {end}: nobody can see that the body is torn"))


def rst_after_full_response(stage: RelayStage) -> Found:
    """Body and reset have both arrived when the relay looks: it is stopped until they have."""
    pair = stage.asked()
    with frozen(stage.relay):
        pair.server.sendall(ANSWER)
        _reset(pair.server)
        _wait_until_reset(stage, pair)
    got, end = read_all(pair.client)
    body = got.partition(b"\r\n\r\n")[2]
    return Found(_whole_or_reset(body, end), _ended(end))


def early_response_unread_body(stage: RelayStage) -> Found:
    """The server answers and closes while a body is under way to it: its kernel resets the connection."""
    try:
        pair = stage.asked(upload_head(int(stage.parameters["body"])))
    except CheckFailedError as error:
        raise NotApplicableError("it does not pass a request on before it has the whole body") from error
    pair.client.sendall(bytes(_HALF))
    if not wait_until(lambda: _is_unread(pair), stage.patience):
        raise NotApplicableError("it does not pass a body on before it has all of it")
    with frozen(stage.relay):
        pair.server.sendall(ANSWER)
        pair.server.close()  # what it has not read makes a reset of it
        _wait_until_reset(stage, pair)
    got, end = read_all(pair.client)
    return Found(_whole_or_reset(got.partition(b"\r\n\r\n")[2], end), _ended(end))


def _is_unread(pair: Pair) -> bool:
    """Whether some of the body waits at the server's end."""
    pair.ends["server"].match("ESTABLISHED")  # takes a fresh look
    row = pair.ends["server"].row
    return row is not None and bool(row.receive_queue)


def _wait_until_reset(stage: RelayStage, pair: Pair) -> None:
    try:
        pair.ends["relay's server leg"].wait_for("CLOSED", within=stage.patience)
    except CheckFailedError as error:
        raise NotObservedError("the server's reset was not seen to arrive at the relay") from error


def _as_sent(body: bytes) -> Judgement:
    if body == BODY[:_HALF]:
        return passed(f"all {_HALF} bytes came that the server had sent")
    return failed(f"{len(body)} of {_HALF} bytes came that the server had sent")


def _whole_or_reset(body: bytes, end: End) -> Judgement:
    if body == BODY:
        return passed(f"the whole body came, then {end}")
    told = f"{len(body)} of {len(BODY)} bytes of the body came, then {end}"
    return non_strict(told) if end is End.RESET else failed(told)


def _ended(end: End) -> Judgement:
    if end is End.NOTHING:
        return failed("the client's connection was left open")
    return passed(f"the client read {end} at the end")


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    sock.close()
