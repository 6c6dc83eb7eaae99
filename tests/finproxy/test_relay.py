"""One flow between two stubs: which calls it makes, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from finproxy.legs import WOULD_BLOCK, FlowEnd, Leg, LegLost
from finproxy.relay import Behind, Flow
from finproxy.testing import FakeLeg, FakeReadiness, fake_connection

Call = tuple[str, object]


class Source(FakeLeg):
    """Gives what it is told to give, one thing a read."""

    def __init__(self, *gives: bytes | LegLost | int) -> None:
        self.gives = list(gives)

    def receive_into(self, buffer: memoryview) -> int:
        given = self.gives.pop(0)
        if isinstance(given, LegLost):
            raise given
        if isinstance(given, int):
            return given
        buffer[: len(given)] = given
        return len(given)


class Sink(FakeLeg):
    """Writes down what it is asked for, and takes all of it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def send(self, data: memoryview | bytes, cork: bool = False) -> int:
        self.calls.append(("corked" if cork else "sent", bytes(data)))
        return len(data)

    def uncork(self) -> None:
        self.calls.append(("uncorked", None))

    def send_fin(self) -> bool:
        self.calls.append(("fin", None))
        return True


class Owner:
    """What a session would be; `at_the_end` is what it does at an EOF."""

    def __init__(self, at_the_end: Callable[[Flow], None]) -> None:
        self.flow_ended = at_the_end

    def leg_was_lost(self, leg: Leg) -> None: ...

    def mark_reached(self, flow: Flow, count: int) -> None: ...

    def fin_left(self, flow: Flow) -> None: ...


def calls(*gives: bytes | LegLost | int, behind: Behind, at_the_end: Callable[[Flow], None]) -> list[Call]:
    """What a flow asks of its receiver while it moves these once."""
    sink = Sink()
    Flow(Leg.CLIENT, Source(*gives), sink, Owner(at_the_end)).move(behind)
    return sink.calls


def keep_the_end(_flow: Flow) -> None:
    """As `hold` does, for a while."""


def test_the_last_bytes_wait_for_the_fin_that_has_come_with_them() -> None:
    assert calls(b"bye", 0, behind=Behind.FIN, at_the_end=Flow.finish) == [("corked", b"bye"), ("fin", None)]


def test_they_go_at_once_where_the_fin_is_kept() -> None:
    seen = calls(b"bye", 0, behind=Behind.FIN, at_the_end=keep_the_end)
    assert seen == [("corked", b"bye"), ("uncorked", None)]


@pytest.mark.parametrize("instead", [WOULD_BLOCK, LegLost(FlowEnd.RESET, "connection reset")])
def test_they_go_at_once_where_something_else_comes(instead: LegLost | int) -> None:
    seen = calls(b"bye", instead, behind=Behind.FIN, at_the_end=Flow.finish)
    assert seen == [("corked", b"bye"), ("uncorked", None)]


@pytest.mark.parametrize("behind", [Behind.NOTHING, Behind.UNKNOWN])
def test_bytes_that_no_fin_follows_do_not_wait(behind: Behind) -> None:
    assert calls(b"hello", WOULD_BLOCK, behind=behind, at_the_end=Flow.finish) == [("sent", b"hello")]


async def test_a_fake_leg_keeps_corked_bytes_until_it_is_told_that_nothing_follows() -> None:
    endpoint, leg = fake_connection(1, FakeReadiness())
    leg.send(b"bye", cork=True)
    assert leg.unacknowledged() == 3
    leg.uncork()
    assert await endpoint.receive() == b"bye"
