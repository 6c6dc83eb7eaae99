"""A play with a server that answers before it has read the request's body.

This module must not know how outcomes are told.
"""

import contextlib
import socket
from collections.abc import Iterator

from harness.contract.protocols import Http
from harness.contract.subject import End
from harness.output import wait_until
from harness.proxied_session import ProxiedSession
from harness.scenarios.messages import upload_head
from harness.scenarios.server_stage import ServerStage
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import Judgement, NotApplicableError, failed, non_strict, passed

_CHUNK = 16_384


def early_response_unread_body(stage: ServerStage) -> Found:
    """Send the head and a little of the body; once the answer comes, the rest; and read the answer then."""
    protocol = stage.subject.protocol
    if not isinstance(protocol, Http):
        raise NotApplicableError("it does not speak HTTP")
    size = int(stage.parameters["body"])
    client = stage.connect()
    session = stage.proxy.session_of(client)
    client.sendall(upload_head(size, protocol.path, protocol.host) + bytes(_CHUNK))
    if not _answers_early(client, stage.parameters["wait"]):
        raise NotApplicableError("it reads the whole body before it answers")
    client.settimeout(stage.patience)
    sent = _CHUNK + sum(_feed(client, size - _CHUNK))
    stage.fact(f"it answered early; {sent} of {size} bytes of the body could be sent")
    answered = stage.answer(client, protocol)
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)
    return Found(answered, _lingered(_last_end(stage, session)))


def _last_end(stage: ServerStage, session: ProxiedSession) -> End:
    """How the server's flow ended once both have: a reset may follow its FIN, as it goes on being sent to."""
    wait_until(lambda: session.ending is not None, stage.patience)
    return stage.server_end(session)


def _lingered(end: End) -> Judgement:
    if end is End.RESET:
        return non_strict("it reset the connection, which can destroy its answer on the way")
    if end is End.FIN:
        return passed("it sent FIN and no reset: it went on reading")
    return failed("it did not end the connection")


def _answers_early(client: socket.socket, within: float) -> bool:
    client.settimeout(within)
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


def _feed(client: socket.socket, size: int) -> Iterator[int]:
    """Send so many bytes, or as many as the connection takes; how many with each step."""
    with contextlib.suppress(OSError):
        while size > 0:
            size -= (sent := client.send(bytes(min(size, _CHUNK))))
            yield sent
