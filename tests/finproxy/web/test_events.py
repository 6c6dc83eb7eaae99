from __future__ import annotations

import json
from functools import partial
from typing import Any

import httpx
import pytest
import trio
from starlette.types import ASGIApp

from finproxy import Feed, Guard, stream_events
from finproxy.web import events

from ...support.peers import Peer, connect, patience
from .conftest import client_of, events_of
from .test_feed import feed_of


def app_of(feed: Feed[str], **options: Any) -> ASGIApp:
    return Guard(partial(stream_events, feed, **options))


async def test_an_event_has_id_name_and_data() -> None:
    feed = feed_of("a")
    async with client_of(app_of(feed)) as client, events_of(client, "/?after=0") as stream:
        event = await stream.next()

    assert stream.head.startswith("HTTP/1.1 200")
    assert "content-type: text/event-stream" in stream.head
    assert event == {"id": f"{feed.run}-1", "event": "a", "data": '[1, "a"]'}


async def test_without_a_place_it_begins_with_what_comes_next() -> None:
    feed = feed_of("old")
    async with client_of(app_of(feed)) as client, events_of(client) as stream:
        feed.put("new")

        assert (await stream.next())["event"] == "new"


async def test_it_goes_on_behind_the_last_event() -> None:
    feed = feed_of("a", "b", "c")
    headers = {"last-event-id": f"{feed.run}-2"}
    async with client_of(app_of(feed)) as client, events_of(client, headers=headers) as stream:
        assert (await stream.next())["event"] == "c"


async def test_what_is_not_kept_any_more_is_said() -> None:
    feed = feed_of(*"abcdefgh", capacity=4)
    async with client_of(app_of(feed)) as client, events_of(client, "/?after=1") as stream:
        missed = await stream.next()

        assert missed["event"] == "records.missed"
        assert missed["id"] == f"{feed.run}-4"
        assert json.loads(missed["data"])["missed"] == 3
        assert (await stream.next())["event"] == "e"


async def test_a_place_of_another_run_is_not_taken_for_one_of_this() -> None:
    feed = feed_of("a")
    async with client_of(app_of(feed)) as client, events_of(client, "/?after=0badcafe-1") as stream:
        missed = await stream.next()

        assert "started anew" in json.loads(missed["data"])["why"]
        assert (await stream.next())["event"] == "a"


@pytest.mark.parametrize("place", ["x", "-", "-1x", "1.5", "²", "9" * 5000])
async def test_what_is_no_place_is_refused(place: str) -> None:
    async with client_of(app_of(feed_of())) as client:
        answer = await client.get("/", params={"after": place})

    assert answer.status_code == 400
    assert answer.json()["found"] == place


async def test_a_place_that_lies_ahead_is_said_and_waits_for_what_comes() -> None:
    feed = feed_of("a")
    async with client_of(app_of(feed)) as client, events_of(client, "/?after=99") as stream:
        assert (await stream.next())["event"] == "records.missed"
        feed.put("b")
        assert (await stream.next())["event"] == "b"


async def test_what_is_not_wanted_is_passed_over() -> None:
    feed = feed_of(*"ab" * 700, "last", capacity=2000)
    app = app_of(feed, wanted=lambda item: item not in {"a", "b"})
    async with client_of(app) as client, events_of(client, "/?after=0") as stream:
        assert (await stream.next())["event"] == "last"


async def test_closing_the_feed_ends_the_stream_behind_what_there_was() -> None:
    feed = feed_of("a")
    async with client_of(app_of(feed)) as client, events_of(client, "/?after=0") as stream:
        await stream.next()
        feed.put("b")
        feed.close()

        assert "event: b" in await stream.rest()


async def test_an_idle_stream_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_KEEP_ALIVE", 0.01)
    async with client_of(app_of(feed_of())) as client, events_of(client) as stream:
        await stream.keep_alive()


async def test_a_reader_that_goes_away_is_forgotten() -> None:
    feed = feed_of()
    async with client_of(app_of(feed)) as client:
        async with events_of(client) as stream:
            feed.put("a")
            await stream.next()
            assert feed.readers == 1
        with patience("the reader to be forgotten"):
            while feed.readers:
                await trio.lowlevel.checkpoint()


async def test_a_reader_that_reads_nothing_is_cut_off_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "_STALLED_AFTER", 1000.0)  # however long this takes on a busy machine
    feed = feed_of(*["x" * 100_000] * 500, capacity=1000)
    reasons: list[str] = []
    async with client_of(app_of(feed, dropped=reasons.append)) as client:
        stalled = await stalled_reader(client, feed)
        async with events_of(client) as stream:
            while not reasons:
                for _ in range(50):
                    feed.put("y")
                for _ in range(50):
                    assert (await stream.next())["event"] == "y"
        assert len(await stalled.read_until_eof()) < 50_000_000

    assert "records behind" in reasons[0]


async def test_a_reader_that_takes_nothing_for_too_long_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_STALLED_AFTER", 0.1)
    feed = feed_of(*["x" * 100_000] * 500, capacity=1000)
    reasons: list[str] = []
    async with client_of(app_of(feed, dropped=reasons.append)) as client:
        stalled = await stalled_reader(client, feed)
        with patience("the reader to be cut off"):
            while feed.readers:
                await trio.lowlevel.checkpoint()
        await stalled.read_until_eof()

    assert reasons == ["nothing taken for 0.1 s"]


async def test_a_server_with_a_stalled_reader_can_be_stopped() -> None:
    feed = feed_of(*["x" * 100_000] * 500, capacity=1000)
    with patience("the server to stop"):
        async with client_of(app_of(feed)) as client:
            await stalled_reader(client, feed)


async def test_a_server_with_a_stalled_reader_can_be_cancelled() -> None:
    feed = feed_of(*["x" * 100_000] * 500, capacity=1000)
    with patience("the server to stop"), trio.CancelScope() as scope:
        async with client_of(app_of(feed)) as client:
            await stalled_reader(client, feed)
            scope.cancel()


async def stalled_reader(client: httpx.AsyncClient, feed: Feed[str]) -> Peer:
    """A client that does not read the 50 MB which are being sent to it."""
    peer = await connect((client.base_url.host, client.base_url.port or 0))
    await peer.send(b"GET /?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with patience("the feed to be sent"):
        while not feed.readers or feed.lag:
            await trio.lowlevel.checkpoint()
    return peer
