"""Our own API: proxies with rules, live sessions and what is done to them, records, figures."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import trio

from ..web.conftest import events_of
from .conftest import listening, serving

UPSTREAM = ("127.0.0.1", 9)


async def test_a_proxy_is_created_shown_changed_and_deleted() -> None:
    async with serving() as served:
        created = await served.create("web", UPSTREAM, rules=["client.fin -> hold"], seed=5)
        assert (await served.client.get("/v1/proxies/web")).json() == created
        assert (await served.client.get("/v1/proxies")).json() == {"proxies": [created]}
        changed = await served.client.patch("/v1/proxies/web", json={"rules": [], "enabled": False})
        deleted = await served.client.delete("/v1/proxies/web")
        gone = await served.client.get("/v1/proxies/web")

    assert created == {
        "name": "web",
        "listen": created["listen"],
        "upstream": "127.0.0.1:9",
        "enabled": True,
        "rules": ["client.fin -> hold"],
        "toxics": [],
        "seed": 5,
        "technique": None,
        "sessions": {"open": 0, "opened": 0, "refused": 0},
    }
    assert changed.json() == {**created, "rules": [], "enabled": False}
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert gone.status_code == 404


@pytest.mark.parametrize(
    ("body", "expected", "found"),
    [
        ({"name": "a"}, "", "upstream"),
        ({"name": 1, "upstream": "80"}, "str", "int"),
        ({"name": "a/b", "upstream": "80"}, "matching", ""),
        ({"name": "..", "upstream": "80"}, "matching", ""),
        ({"name": "a", "upstream": "80:81:82"}, "HOST:PORT", "80:81:82"),
        ({"name": "a", "upstream": "80", "listen": "x"}, "HOST:PORT", "x"),
        ({"name": "a", "upstream": "80", "rules": ["client.fni -> hold"]}, "a trigger", "fni"),
        ({"name": "a", "upstream": "80", "toxics": [{"type": "latncy"}]}, "latency", "latncy"),
        ({"name": "a", "upstream": "80", "toxics": [{"type": "fin"}]}, "rule", "none"),
        ({"name": "a", "upstream": "80", "grace": -1}, ">= 0", ""),
        ({"name": "a", "upstream": "80", "seed": 2**70}, "", ""),
        ({"name": "a", "upstream": "80", "wire": "magic"}, "zero-window", "magic"),
        ({"name": "a", "upstream": "80", "ruls": []}, "", "ruls"),
    ],
)
async def test_what_cannot_be_meant_says_what_was_expected_and_found(
    body: dict[str, Any], expected: str, found: str
) -> None:
    async with serving() as served:
        answer = await served.client.post("/v1/proxies", json=body)
        assert (await served.client.get("/v1/proxies")).json() == {"proxies": []}

    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert list(problem) == ["error", "status", "expected", "found", "what_to_do"]
    assert expected in problem["expected"]
    assert found in problem["found"]


async def test_a_name_or_a_port_that_is_taken_is_a_conflict() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with serving() as served:
            await served.create("web", UPSTREAM)
            name = await served.client.post("/v1/proxies", json={"name": "web", "upstream": "80"})
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            port = await served.client.post(
                "/v1/proxies", json={"name": "b", "upstream": "80", "listen": listen}
            )

    assert (name.status_code, port.status_code) == (409, 409)
    assert "already" in name.json()["error"]
    assert "choose another one" in port.json()["what_to_do"]


async def test_rules_are_added_removed_and_replaced_and_hold_in_live_sessions() -> None:
    async with serving() as served, listening() as upstream:
        await served.create("web", upstream.address)
        client, server = await served.pair("web", upstream)
        rules = "/v1/proxies/web/rules"
        await served.client.post(rules, json={"rule": "client.fin -> hold"})
        first = await served.client.post(rules, json={"rule": "client.fin -> drop", "first": True})
        assert first.json() == {"rules": ["client.fin -> drop", "client.fin -> hold"]}
        left = await served.client.request("DELETE", rules, params={"rule": "client.fin->hold"})
        assert left.json() == {"rules": ["client.fin -> drop"]}
        missing = await served.client.request("DELETE", rules, params={"rule": "client.fin -> hold"})
        assert missing.status_code == 404
        client.fin()
        await served.story.until("fin.dropped", "client")
        assert server.hears_nothing
        replaced = await served.client.put(rules, json={"rules": ["server.fin -> hold"]})
        assert replaced.json() == (await served.client.get(rules)).json()


async def test_a_session_is_shown_with_addresses_legs_held_ends_and_its_records() -> None:
    async with serving() as served, listening() as upstream:
        await served.create("web", upstream.address, rules=["client.fin -> hold"])
        client, server = await served.pair("web", upstream)
        await client.send(b"abc")
        await server.receive(3)
        client.fin()
        await served.story.until("fin.held")
        shown = (await served.client.get("/v1/proxies/web/sessions/1")).json()
        listed = (await served.client.get("/v1/sessions")).json()["sessions"]

        assert tuple(shown["client"]) == client.address
        assert tuple(shown["server"]) == upstream.address
        leg = shown["legs"]["client"]
        assert (leg["state"], leg["flow"], leg["bytes"]) == ("peer done", "kept", 3)
        assert (leg["held"]["rule"], leg["tcp"]) == ("client.fin -> hold", "CLOSE-WAIT")
        assert leg["held"]["for"] >= 0
        events = [record["event"] for record in shown["records"]]
        assert events == ["session.opened", "fin.received", "rule.fired", "fin.held"]
        assert shown["complete"] is True
        assert [one["session"] for one in listed] == [1]

        released = await served.client.post("/v1/proxies/web/sessions/1/release", json={"leg": "client"})
        assert await server.read_until_eof() == b""
        assert released.json()["legs"]["client"]["held"] is None
        again = await served.client.post("/v1/proxies/web/sessions/1/release", json={"leg": "client"})
        assert again.status_code == 409


async def test_a_closed_session_is_shown_as_long_as_its_records_are_kept() -> None:
    async with serving() as served, listening() as upstream:
        await served.create("web", upstream.address)
        client, server = await served.pair("web", upstream)
        client.fin()
        await server.read_until_eof()
        server.close()
        await client.read_until_eof()
        await served.story.until("session.closed")
        shown = (await served.client.get("/v1/proxies/web/sessions/1")).json()
        unknown = await served.client.get("/v1/proxies/web/sessions/2")

    assert (shown["open"], shown["age"], shown["legs"]) == (False, None, {})
    assert shown["ending"]["closed_first"] == "client"
    assert unknown.status_code == 404


async def test_holding_keeps_an_end_that_has_not_come_and_everything_can_be_released() -> None:
    async with serving() as served, listening() as upstream:
        await served.create("web", upstream.address)
        client, server = await served.pair("web", upstream)
        await served.story.until("session.opened")
        held = await served.client.post("/v1/proxies/web/sessions/1/hold", json={"leg": "client"})
        leg = held.json()["legs"]["client"]
        assert (leg["armed"], leg["waiting"]) == (True, {"rule": "request", "action": "hold"})
        client.fin()
        await served.story.until("fin.held")
        assert (await served.client.get("/v1/sessions")).json()["sessions"][0]["legs"]["client"][
            "armed"
        ] is False
        released = await served.client.post("/v1/proxies/web/release")

        assert released.json() == {"released": 1}
        assert await server.read_until_eof() == b""
        again = await served.client.post("/v1/proxies/web/sessions/1/release", json={"leg": "client"})
        assert again.status_code == 409


async def test_an_action_is_carried_out_at_once() -> None:
    async with serving() as served, listening() as upstream:
        await served.create("web", upstream.address)
        client, server = await served.pair("web", upstream)
        await served.story.until("session.opened")
        act = "/v1/proxies/web/sessions/1/act"
        wrong = await served.client.post(act, json={"leg": "client", "action": "explode"})
        await served.client.post(act, json={"leg": "client", "action": "fin"})

        assert await server.read_until_eof() == b""
        assert client.hears_nothing
        assert wrong.status_code == 400


async def test_a_session_is_killed_with_fins_or_with_resets() -> None:
    async with serving() as served, listening() as upstream:
        await served.create("web", upstream.address)
        one, other = await served.pair("web", upstream), await served.pair("web", upstream)
        await served.story.until("session.opened", count=2)
        await served.client.post("/v1/proxies/web/sessions/1/kill", json={})
        for peer in one:
            assert await peer.read_until_eof() == b""
        await served.client.post("/v1/proxies/web/sessions/2/kill", json={"how": "reset"})
        for peer in other:
            assert await peer.read_until_reset() == b""


async def test_records_come_in_pages_that_can_be_filtered() -> None:
    async with serving() as served, listening() as upstream:
        await served.create("web", upstream.address)
        await served.create("other", upstream.address)
        await served.pair("web", upstream)
        await served.story.until("session.opened")
        first = (await served.client.get("/v1/records", params={"limit": 2})).json()
        rest = (await served.client.get("/v1/records", params={"after": first["next"]})).json()
        some = await served.client.get("/v1/records", params={"proxy": "web", "event": "session."})
        bad = await served.client.get("/v1/records", params={"limit": "many"})

    assert [record["event"] for record in first["records"]] == ["proxy.listening"] * 2
    assert [record["id"] for record in rest["records"]] == [3]
    assert [record["event"] for record in some.json()["records"]] == ["session.opened"]
    assert bad.status_code == 400


async def test_records_are_streamed_as_they_come() -> None:
    async with serving() as served, listening() as upstream:
        await served.create("web", upstream.address)
        async with events_of(served.client, "/v1/records/stream?event=session.") as stream:
            await served.pair("web", upstream)
            event = await stream.next()

    assert event["event"] == "session.opened"
    assert json.loads(event["data"])["proxy"] == "web"


async def test_figures_are_live_and_end_with_their_proxy() -> None:
    async with serving() as served, listening() as upstream:
        await served.create("web", upstream.address, rules=["client.fin -> hold"])
        client, server = await served.pair("web", upstream)
        await client.send(b"abcde")
        await server.receive(5)
        client.fin()
        await served.story.until("fin.held")
        text = (await served.client.get("/metrics")).text
        await served.client.delete("/v1/proxies/web")
        after = (await served.client.get("/metrics")).text

    assert 'finproxy_received_bytes_total{leg="client",proxy="web"} 5.0' in text
    assert 'finproxy_sessions_open{proxy="web"} 1.0' in text
    assert 'finproxy_ends_held_total{kind="fin",leg="client",proxy="web"} 1.0' in text
    assert 'toxiproxy_proxy_sent_bytes_total{direction="upstream"' in text
    assert 'proxy="web"' not in after


async def test_creating_and_deleting_one_name_at_once_is_done_in_turn() -> None:
    statuses: list[int] = []

    async with serving() as served:

        async def visit(number: int) -> None:
            if number % 2:
                answer = await served.client.delete("/v1/proxies/web")
            else:
                answer = await served.client.post("/v1/proxies", json={"name": "web", "upstream": "9"})
            statuses.append(answer.status_code)

        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(visit, number)
        left = (await served.client.get("/v1/proxies")).json()["proxies"]

    assert set(statuses) <= {201, 204, 404, 409}
    assert statuses.count(201) - statuses.count(204) == len(left)


async def test_the_token_is_asked_for_everywhere_but_at_the_health_check(tmp_path: Any) -> None:
    file = tmp_path / "token"
    file.write_text("correct-horse-battery")
    async with serving(token_file=file) as served:
        for path in ("/proxies", "/v1/proxies", "/metrics", "/v1/docs"):
            assert (await served.client.get(path)).status_code == 401
        assert (await served.client.get("/v1/health")).status_code == 200
        headers = {"authorization": "Bearer correct-horse-battery"}
        assert (await served.client.get("/proxies", headers=headers)).status_code == 200


async def test_what_a_path_does_not_know_is_said() -> None:
    async with serving() as served:
        unknown = await served.client.get("/v1/nothing")
        nobody = (await served.client.get("/v1/proxies/web")).json()
        await served.create("api", UPSTREAM)
        other = (await served.client.get("/v1/proxies/web")).json()
        method = await served.client.delete("/v1/proxies")
        number = await served.client.get("/v1/proxies/web/sessions/x")

    assert unknown.status_code == 404
    assert all(unknown.json().values())
    assert (nobody["expected"], nobody["found"]) == ("no name: there is no proxy", "web")
    assert (other["expected"], other["found"]) == ("one of api", "web")
    assert "create it" in other["what_to_do"]
    assert (method.status_code, method.headers["allow"]) == (405, "GET, POST")
    assert number.status_code == 400


async def test_docs_and_document_load_nothing_and_name_every_operation() -> None:
    async with serving() as served:
        document = (await served.client.get("/v1/openapi.json")).json()
        page = (await served.client.get("/v1/docs")).text

    assert all(path in page for path in document["paths"])
    assert "src=" not in page
    identifiers = [o["operationId"] for methods in document["paths"].values() for o in methods.values()]
    assert len(identifiers) == len(set(identifiers)) > 20


async def test_a_slow_upstream_of_one_proxy_delays_no_other() -> None:
    async with serving() as served, listening() as upstream:
        await served.create("web", upstream.address)
        await served.create("slow", ("192.0.2.1", 9))
        await served.connect("slow")
        client, server = await served.pair("web", upstream)
        await client.send(b"quick")

        assert await server.receive(5) == b"quick"
        assert (await served.client.delete("/v1/proxies/slow")).status_code == 204
