from __future__ import annotations

import json

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from finproxy import Feed
from finproxy.web.feed import FeedReader


def feed_of(*items: str, capacity: int = 100) -> Feed[str]:
    feed: Feed[str] = Feed(
        encode=lambda number, item: json.dumps([number, item]).encode(), name=str, capacity=capacity
    )
    for item in items:
        feed.put(item)
    return feed


@given(st.integers(0, 30), st.integers(1, 12), st.integers(-3, 40), st.integers(1, 20))
def test_what_comes_after_a_position_is_what_is_still_there_in_order(
    count: int, capacity: int, position: int, most: int
) -> None:
    feed = feed_of(*map(str, range(1, count + 1)), capacity=capacity)

    expected = [n for n in range(1, count + 1) if n > count - capacity and n > position][:most]

    assert [(n.number, n.item) for n in feed.after(position, most)] == [(n, str(n)) for n in expected]


def test_it_knows_its_oldest_and_its_newest() -> None:
    feed = feed_of("a", "b", "c", capacity=2)

    assert (feed.oldest, feed.newest) == (2, 3)
    assert (feed_of().oldest, feed_of().newest) == (1, 0)


def test_an_item_is_encoded_once() -> None:
    feed = feed_of("a")
    first = feed.after(0, 1)[0]

    assert feed.encoded(first) == b'[1, "a"]'
    assert feed.encoded(first) is feed.encoded(feed.after(0, 1)[0])


async def test_whoever_waits_is_told_once_there_is_more() -> None:
    feed = feed_of("a")
    seen: list[str] = []

    async def read() -> None:
        await feed.wait_for_more(1)
        seen.extend(n.item for n in feed.after(1, 10))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        feed.put("b")

    assert seen == ["b"]


async def test_closing_it_ends_the_wait_of_all() -> None:
    feed = feed_of()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(feed.wait_for_more, 0)
        await wait_all_tasks_blocked()
        feed.close()


@pytest.mark.parametrize("capacity", [4, 1000])
def test_a_reader_is_cut_off_before_the_ring_overtakes_it(capacity: int) -> None:
    feed = feed_of(capacity=capacity)
    cut_off: list[str] = []
    slow, quick = FeedReader(0, cut_off.append), FeedReader(0, cut_off.append)
    feed.add_reader(slow)
    feed.add_reader(quick)
    while not cut_off:
        feed.put("x")
        quick.position = feed.newest

    assert slow.position >= feed.oldest - 1
    assert len(cut_off) == 1
    assert f"{feed.newest} records behind" in cut_off[0]
