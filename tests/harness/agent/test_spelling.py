"""What an agent tells comes out as it went in."""

from __future__ import annotations

import json
import math

import pytest

from harness.agent.spelling import read_event, spell_event, spell_row
from harness.rows import Endpoint, Owner, SocketRow, Timer
from harness.states import TcpState as S
from harness.transitions import FarEvent, Inferred, Observed, OwnerFound, SegmentEvent, Transition

END = Endpoint.of((("172.18.0.3", 8000), ("172.18.0.4", 40312)))
OWNER = Owner(7, "nginx")
EVENTS: list[FarEvent] = [
    Transition(END, None, S.ESTABLISHED, 10.0, -math.inf, Observed("sock_diag")),
    Transition(END, S.ESTABLISHED, S.FIN_WAIT_1, 11.0, 10.5, Inferred("FIN-WAIT-2"), OWNER),
    Transition(END, S.FIN_WAIT_1, S.FIN_WAIT_2, 11.0, 10.5, Observed("tracepoint", exact=True), OWNER),
    SegmentEvent("reset sent", END, 12.0, "tracepoint", "TCP_ABORT_ON_CLOSE"),
    SegmentEvent("retransmission", END, 12.5, "tracepoint"),
    OwnerFound(END, OWNER),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_survives_json(event: FarEvent) -> None:
    told = json.loads(json.dumps(spell_event(event), allow_nan=False))

    assert read_event(told) == event


def test_times_are_shifted_into_the_readers_clock() -> None:
    first, closing, *_ = (read_event(spell_event(event), shift=100.0) for event in EVENTS)

    assert isinstance(first, Transition)
    assert isinstance(closing, Transition)
    assert (first.at, first.earliest) == (110.0, -math.inf)
    assert (closing.at, closing.earliest) == (111.0, 110.5)


def test_an_owners_command_line_is_not_told() -> None:
    told = spell_event(OwnerFound(END, Owner(7, "app", "app --password secret")))

    assert "secret" not in json.dumps(told)


def test_a_row_leaves_out_what_its_source_does_not_show() -> None:
    row = SocketRow(END, S.FIN_WAIT_2, "sock_diag", inode=0, timer=Timer("keepalive", 1.5, 0))

    assert spell_row(row) == {
        "local": ["172.18.0.3", 8000],
        "remote": ["172.18.0.4", 40312],
        "state": "FIN-WAIT-2",
        "seen_by": "sock_diag",
        "inode": 0,
        "timer": "keepalive 1.5s",
    }


@pytest.mark.parametrize("told", [{}, {"kind": "rumour", "local": ["a", 1], "remote": ["b", 2]}, {"kind": 1}])
def test_what_no_agent_tells_is_refused(told: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_event(told)
