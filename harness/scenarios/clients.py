"""Scenarios in which a client is tried: the runner's side is a scripted server behind a proxy.

Each function plays one scenario and returns what speaks against the subject, "" if nothing does. This module
must not know how outcomes are told.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from harness.background import Background
from harness.program import Exit, Program, StillRunningError
from harness.proxied import BackgroundProxy
from harness.scenarios.catalogue import Scenario
from harness.scenarios.servers import NotApplicableError
from harness.scenarios.subjects import ClientSubject
from harness.scripted import Peer, ScriptedServer

BODY = b"".join(b"line %04d\n" % number for number in range(2000))
"""20 kB that a client prints, and that fit into what is kept of its output."""
_HALF = len(BODY) // 2
_ONE = b"the answer\n"


@dataclass(frozen=True)
class Seen:
    """What was seen of a client: how it ended (None: it did not), what it printed, what it asked for."""

    ended: Exit | None
    output: str
    requests: list[tuple[int, str]]
    condition: str

    @property
    def failed(self) -> bool:
        """Whether it reported an error."""
        return self.ended is not None and self.ended.code != 0

    def told(self) -> str:
        """What it did, for people."""
        how = "did not exit" if self.ended is None else f"exited with {self.ended.code}"
        return f"it {how} after {len(self.requests)} requests\n{self.condition}"


Play = Callable[[Scenario, ClientSubject, Background], str]


def play_cut_body(scenario: Scenario, subject: ClientSubject, background: Background) -> str:
    """The answer is cut in the middle: success would be a lie."""
    with_length = scenario.name != "rst-close-delimited"

    def script(peer: Peer) -> None:
        if peer.read_request():
            peer.send(_answer(BODY, with_length=with_length))
            peer.wait_until_closed()

    seen = _watch(scenario, subject, background, script)
    return _must_fail(seen)


def play_reset_after_body(scenario: Scenario, subject: ClientSubject, background: Background) -> str:
    """The body is complete, a reset follows: the whole of it or an error, but not less in silence."""

    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.send(_answer(BODY, close=True))
            peer.fin()

    seen = _watch(scenario, subject, background, script)
    if seen.ended is None:
        return seen.told()
    whole = BODY.decode() in seen.output
    return "" if seen.failed or whole else f"it reported success without the whole body: {seen.told()}"


def play_sigkill(scenario: Scenario, subject: ClientSubject, background: Background) -> str:
    """The server dies in the middle of its answer."""
    code = f"""
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
sock = listener.accept()[0]
sock.recv(65536)
sock.sendall({_answer(BODY)[: _HALF + 100]!r})
print("sent", flush=True)
sock.recv(65536)
"""
    with Program(sys.executable, "-c", code, "{port}") as server:
        proxy = BackgroundProxy(background, server, *scenario.rules)
        try:
            with _started(subject, proxy.address) as client:
                server.says("sent", within=subject.patience)
                server.kill()
                return _must_fail(_seen(client, subject, []))
        finally:
            proxy.close()


def play_fin_after_answer(_scenario: Scenario, subject: ClientSubject, _background: Background) -> str:
    """Each connection ends with its first answer, which does not say so.

    Without a proxy: it would make two segments of answer and FIN, and chance would decide what is seen first.
    """

    def script(peer: Peer) -> None:
        if peer.read_request():
            peer.send_with_fin(_answer(_ONE))
            peer.wait_until_closed()

    with ScriptedServer(script) as server, _started(subject, server.address) as client:
        return _both_must_succeed(_seen(client, subject, server.requests))


def play_fin_crosses_request(scenario: Scenario, subject: ClientSubject, background: Background) -> str:
    """The first connection's FIN is held: its second request meets a closed socket. Later ones are kept."""

    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.send(_answer(_ONE))
            if peer.number == 1:
                peer.close()
                return

    seen = _watch(scenario, subject, background, script)
    if any("POST" in line for _, line in seen.requests):
        raise NotApplicableError("only a GET may be repeated, and it sent a POST")
    return _both_must_succeed(seen)


PLAYS: dict[str, Play] = {
    "fin-mid-body": play_cut_body,
    "rst-mid-response": play_cut_body,
    "rst-close-delimited": play_cut_body,
    "rst-after-full-response": play_reset_after_body,
    "sigkill-peer": play_sigkill,
    "fin-right-after-response": play_fin_after_answer,
    "fin-crosses-request": play_fin_crosses_request,
}


def _answer(body: bytes, *, with_length: bool = True, close: bool = False) -> bytes:
    version, length = ("1.1", f"Content-Length: {len(body)}\r\n") if with_length else ("1.0", "")
    closes = "Connection: close\r\n" if close else ""
    head = f"HTTP/{version} 200 OK\r\nContent-Type: text/plain\r\n{length}{closes}\r\n"
    return head.encode() + body


def _watch(
    scenario: Scenario, subject: ClientSubject, background: Background, script: Callable[[Peer], None]
) -> Seen:
    rules = [rule.format(half=_HALF) for rule in scenario.rules]
    with ScriptedServer(script) as server:
        proxy = BackgroundProxy(background, server, *rules)
        try:
            with _started(subject, proxy.address) as client:
                return _seen(client, subject, server.requests)
        finally:
            proxy.close()


def _started(subject: ClientSubject, address: tuple[str, int]) -> Program:
    host, port = address
    command = [part.replace("{url}", f"http://{host}:{port}/") for part in subject.command]
    return Program(*command, grace=0.5)


def _seen(client: Program, subject: ClientSubject, requests: list[tuple[int, str]]) -> Seen:
    try:
        ended = client.exits(within=subject.patience)
    except StillRunningError:
        ended = None
    return Seen(ended, client.output, requests, client.condition())


def _must_fail(seen: Seen) -> str:
    return "" if seen.failed else f"expected an error, found none: {seen.told()}"


def _both_must_succeed(seen: Seen) -> str:
    if seen.ended is not None and seen.ended.code == 0 and len(seen.requests) < 2:
        raise NotApplicableError("it asks only once")
    answers = seen.output.count(_ONE.decode())
    succeeded = seen.ended is not None and seen.ended.code == 0 and answers >= 2
    return "" if succeeded else f"expected two answers, found {answers}: {seen.told()}"
