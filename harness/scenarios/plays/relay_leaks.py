"""Plays with a relay: what it goes on holding, and what it loses, when one side is slow or silent.

This module must not know how outcomes are told.
"""

import contextlib
import socket

from harness.contract.subject import End
from harness.errors import CheckFailedError
from harness.output import wait_until
from harness.scenarios.messages import http_answer
from harness.scenarios.plays.relay_closes import exchanged
from harness.scenarios.relay_stage import Pair, RelayStage, read_all
from harness.scenarios.stage import Found
from harness.scenarios.verdicts import NotObservedError, failed, passed
from harness.states import TcpState

_LARGE = b"0123456789abcdef" * 16_384
"""256 KiB: more than the client's window takes, less than the relay's kernel does."""
_SMALL_WINDOW = 4096
_STUCK_WITHIN = 1.0


def close_wait_budget(stage: RelayStage) -> Found:
    """So many connections that the server closes first; in the end the clients have all closed too."""
    cycles = int(stage.parameters["cycles"])
    pairs = [exchanged(stage) for _ in range(cycles)]
    for pair in pairs:
        pair.server.shutdown(socket.SHUT_WR)
    for pair in pairs:
        pair.client.close()
    # Before the FINs have come, no leg is in CLOSE-WAIT either.
    if not wait_until(lambda: not any(map(_is_untouched, pairs)), stage.patience):
        raise NotObservedError("a FIN did not arrive at the relay")

    def left() -> int:
        return sum(row.state is TcpState.CLOSE_WAIT for row in stage.relay.sockets())

    behaviour = passed(f"it relayed {cycles} requests and their answers")
    if wait_until(lambda: not left(), stage.patience):
        return Found(behaviour, passed(f"none of {2 * cycles} legs is left in CLOSE-WAIT"))
    return Found(behaviour, failed(f"{left()} of {2 * cycles} legs are left in CLOSE-WAIT"))


def _is_untouched(pair: Pair) -> bool:
    """Whether a leg of the relay has neither received a FIN nor sent one."""
    legs = [pair.ends["relay's client leg"], pair.ends["relay's server leg"]]
    for leg in legs:
        leg.match("ESTABLISHED")  # takes a fresh look
    return any(leg.state is TcpState.ESTABLISHED for leg in legs)


def stuck_fin_wait1(stage: RelayStage) -> Found:
    """The client reads nothing, the server sends and closes; then the client reads all."""
    pair = stage.asked(receive_buffer=_SMALL_WINDOW)
    pair.server.sendall(http_answer(_LARGE, close=True))
    pair.server.close()
    leg = pair.ends["relay's client leg"]
    with contextlib.suppress(CheckFailedError):
        leg.wait_for("FIN-WAIT-1", within=min(_STUCK_WITHIN, stage.patience))
    stage.fact(f"while the client did not read, the relay's client leg was in {leg.state}")
    got, end = read_all(pair.client)
    body = got.partition(b"\r\n\r\n")[2]
    told = f"{len(body)} of {len(_LARGE)} bytes came, then {end}"
    close = passed("FIN came behind the last byte") if end is End.FIN else failed(f"the client read {end}")
    return Found(passed(told) if body == _LARGE else failed(told), close)
