"""Arbitrary toxics that come and go while bytes flow in arbitrary chunks: nothing is lost without a count.

Each session runs between fake endpoints by Trio's autojump clock: minutes of latency pass at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from finproxy.legs import FlowEnd, Leg
from finproxy.testing import FakeEndpoint, Stage, open_session
from finproxy.toxics import (
    Bandwidth,
    Latency,
    LimitData,
    Noop,
    Slicer,
    SlowClose,
    Timeout,
    Toxic,
)
from finproxy.toxics.values import Attributes

_ms = st.sampled_from([0, 1, 20, 500, 20_000])
_sizes = st.sampled_from([0, 1, 7, 1000, 100_000])

_lossless: st.SearchStrategy[Attributes] = st.one_of(
    st.just(Noop()),
    st.builds(Latency, _ms, _ms),
    st.builds(Bandwidth, st.sampled_from([0, 1, 30, 5000])),
    st.builds(SlowClose, _ms),
    st.builds(Slicer, _sizes, _sizes, st.sampled_from([0, 1, 3000])),
)
_lossy: st.SearchStrategy[Attributes] = st.builds(LimitData, _sizes) | st.builds(Timeout, _ms)


def _toxics(attributes: st.SearchStrategy[Attributes]) -> st.SearchStrategy[list[Toxic]]:
    one = st.builds(
        Toxic,
        st.sampled_from("abcd"),
        st.sampled_from(["upstream", "downstream"]),
        attributes,
        st.sampled_from([1.0, 1.0, 0.5]),
    )
    return st.lists(one, max_size=4, unique_by=lambda toxic: toxic.name)


@dataclass(frozen=True)
class Send:
    leg: Leg
    size: int


@dataclass(frozen=True)
class Wait:
    seconds: float


Step: TypeAlias = Send | Wait | list[Toxic]

_send = st.builds(Send, st.sampled_from(Leg), st.sampled_from([1, 10, 1000, 60_000]))
_wait = st.builds(Wait, st.sampled_from([0.0, 0.0005, 0.02, 1.0, 30.0]))


def _steps(attributes: st.SearchStrategy[Attributes]) -> st.SearchStrategy[list[Step]]:
    return st.lists(_send | _wait | _toxics(attributes), max_size=12)


@dataclass
class Actor:
    """An endpoint that reads all the time, and remembers."""

    endpoint: FakeEndpoint
    sent: bytearray = field(default_factory=bytearray)
    read: bytearray = field(default_factory=bytearray)
    saw: FlowEnd | None = None

    async def read_all(self) -> None:
        data, self.saw = await self.endpoint.receive_to_end()
        self.read += data

    async def send(self, size: int) -> None:
        start = len(self.sent)
        data = b"".join(number.to_bytes(4) for number in range(start // 4, (start + size) // 4 + 1))
        data = data[start % 4 :][:size]
        self.sent += data
        await self.endpoint.send(data)


async def _play(steps: list[Step], actors: dict[Leg, Actor], stage: Stage) -> None:
    for step in steps:
        match step:
            case Send(leg=leg, size=size):
                await actors[leg].send(size)
            case Wait(seconds=seconds):
                await trio.sleep(seconds)
            case _:
                stage.set_toxics(*step)


async def _session(
    steps: list[Step], *, room: int, resets: Leg | None = None
) -> tuple[Stage, dict[Leg, Actor]]:
    """Play the steps, let the toxics go, end both flows; when all is over."""
    big = 10_000_000  # what an endpoint sends must not wait for a toxic
    async with open_session(room=big, window=room) as stage, trio.open_nursery() as nursery:
        actors = {Leg.CLIENT: Actor(stage.client), Leg.SERVER: Actor(stage.server)}
        for actor in actors.values():
            nursery.start_soon(actor.read_all)
        await _play(steps, actors, stage)
        if resets:
            await actors[resets].endpoint.reset()
        else:
            for actor in actors.values():
                await actor.endpoint.send_fin()
        await trio.sleep(0.01)
        stage.set_toxics()
        with trio.fail_after(1000):
            await stage.session.wait_over()
    return stage, actors


def _lost(stage: Stage, leg: Leg) -> int:
    assert stage.session.ending
    return sum(loss.bytes for loss in stage.session.ending.losses if loss.leg is leg)


def _run(steps: list[Step], *, room: int, resets: Leg | None = None) -> tuple[Stage, dict[Leg, Actor]]:
    async def main() -> tuple[Stage, dict[Leg, Actor]]:
        return await _session(steps, room=room, resets=resets)

    return trio.run(main, clock=MockClock(autojump_threshold=0))


_rooms = st.sampled_from([100, 5000, 1_000_000])


@settings(max_examples=300, deadline=None)
@given(_steps(_lossless), _rooms)
def test_no_byte_is_lost_or_reordered_and_a_fin_comes_behind_the_last(steps: list[Step], room: int) -> None:
    stage, actors = _run(steps, room=room)
    for leg, actor in actors.items():
        assert actors[leg.other].read == actor.sent
        assert actors[leg.other].saw is FlowEnd.FIN
    assert stage.session.ending
    assert stage.session.ending.losses == ()
    assert stage.session.ending.aborted is None


@settings(max_examples=200, deadline=None)
@given(_steps(_lossless), st.sampled_from(Leg))
def test_a_reset_stays_a_reset_behind_every_byte(steps: list[Step], resets: Leg) -> None:
    stage, actors = _run(steps, room=1_000_000, resets=resets)
    assert actors[resets.other].read == actors[resets].sent
    assert actors[resets.other].saw is FlowEnd.RESET
    assert len(actors[resets].read) + _lost(stage, resets.other) == len(actors[resets.other].sent)
    assert _lost(stage, resets) == 0


@settings(max_examples=300, deadline=None)
@given(_steps(_lossless | _lossy), _rooms)
def test_what_toxics_lose_is_counted_and_the_rest_comes_in_order(steps: list[Step], room: int) -> None:
    stage, actors = _run(steps, room=room)
    for leg, actor in actors.items():
        read = actors[leg.other].read
        assert len(read) + _lost(stage, leg) == len(actor.sent)
        assert _is_part_of(read, actor.sent)
        assert actors[leg.other].saw is FlowEnd.FIN


def _is_part_of(read: bytearray, sent: bytearray) -> bool:
    """Whether `read` is `sent` with some of it left out: the next eight bytes say where it goes on."""
    at = 0
    while read:
        at = sent.find(read[:8], at)
        if at < 0:
            return False
        same = next(
            (n for n, (one, other) in enumerate(zip(read, sent[at:], strict=False)) if one != other), None
        )
        length = min(len(read), len(sent) - at) if same is None else same
        read, at = read[length:], at + length
    return True
