"""Toxiproxy's API as its clients know it: routes, statuses, bodies to the letter, error texts."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import httpx
import pytest

from finproxy.addresses import format_address

from ...support.peers import closed_address
from .conftest import Served, listening, serving

UPSTREAM = "127.0.0.1:9"
BAD_STREAM = "stream was invalid, can be either upstream or downstream"
TOXIC = {"type": "latency", "name": "slow", "attributes": {"latency": 100}}


async def with_proxy(served: Served, **more: Any) -> dict[str, Any]:
    body = {"name": "web", "listen": "127.0.0.1:0", "upstream": UPSTREAM, **more}
    answer = await served.client.post("/proxies", json=body)
    assert answer.status_code == 201
    created: dict[str, Any] = answer.json()
    return created


def error(answer: httpx.Response) -> tuple[int, str]:
    """The status and the text of an error, which has the form that Go gives it."""
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text.endswith("}\n")
    body = answer.json()
    assert list(body) == ["error", "status"]
    assert body["status"] == answer.status_code
    return answer.status_code, body["error"]


# --- the surface ---------------------------------------------------------------------------------------


async def test_the_version_is_one_that_clients_know_and_has_a_blank_behind_its_colon() -> None:
    async with serving() as served:
        answer = await served.client.get("/version")

    assert answer.headers["content-type"] == "application/json;charset=utf-8"
    assert answer.text.startswith('{"version": "2.12.0"')
    assert answer.text.endswith("}\n")
    assert "finproxy" in answer.json()


async def test_every_route_has_a_request_id_and_the_router_s_own_errors_have_none() -> None:
    async with serving() as served:
        known = await served.client.get("/proxies/none")
        unknown = await served.client.get("/none")
        other_method = await served.client.put("/proxies")

    assert re.fullmatch("[a-z2-7]{20}", known.headers["x-toxiproxy-request-id"])
    assert "x-toxiproxy-request-id" not in unknown.headers
    assert "x-toxiproxy-request-id" not in other_method.headers


@pytest.mark.parametrize("path", ["/", "/none", "/proxies/", "/proxies/a/toxics/b/c", "/Proxies"])
async def test_an_unknown_path_is_answered_as_go_does(path: str) -> None:
    async with serving() as served:
        answer = await served.client.get(path)

    assert answer.status_code == 404
    assert answer.text == "404 page not found\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/proxies"),
        ("HEAD", "/proxies"),
        ("OPTIONS", "/proxies"),
        ("DELETE", "/proxies"),
        ("PUT", "/proxies/web"),
        ("POST", "/version"),
        ("GET", "/populate"),
        ("GET", "/reset"),
        ("PUT", "/proxies/web/toxics/slow"),
    ],
)
async def test_another_method_is_answered_with_nothing(method: str, path: str) -> None:
    async with serving() as served:
        answer = await served.client.request(method, path)

    assert (answer.status_code, answer.content) == (405, b"")
    assert "allow" not in answer.headers


async def test_a_browser_is_not_let_in() -> None:
    async with serving() as served:
        headers = {"user-agent": "Mozilla/5.0 (X11)"}
        for method, path in (("GET", "/version"), ("POST", "/proxies"), ("POST", "/reset")):
            answer = await served.client.request(method, path, headers=headers)
            assert (answer.status_code, answer.text) == (403, "User agent not allowed\n")
        assert (await served.client.get("/none", headers=headers)).status_code == 404


# --- proxies -------------------------------------------------------------------------------------------


async def test_a_created_proxy_is_shown_with_its_fields_in_order_and_its_real_port() -> None:
    async with serving() as served:
        created = await served.client.post(
            "/proxies", content=f'{{"name":"w<&>b","listen":"localhost:0","upstream":"{UPSTREAM}"}}'
        )
        listen = created.json()["listen"]

    assert created.status_code == 201
    assert created.headers["content-type"] == "application/json"
    assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d*", listen)
    assert created.text == (
        f'{{"name":"w\\u003c\\u0026\\u003eb","listen":"{listen}","upstream":"{UPSTREAM}",'
        '"enabled":true,"toxics":[]}'
    )


async def test_proxies_are_listed_by_name() -> None:
    async with serving() as served:
        assert (await served.client.get("/proxies")).text == "{}"
        for name in ("b", "a"):
            await with_proxy(served, name=name)
        listed = (await served.client.get("/proxies")).json()
        shown = (await served.client.get("/proxies/a")).json()

    assert list(listed) == ["a", "b"]
    assert listed["a"] == shown


async def test_a_proxy_without_listen_is_on_the_loopback_interface() -> None:
    async with serving() as served:
        answer = await served.client.post("/proxies", json={"name": "web", "upstream": UPSTREAM})

    assert answer.json()["listen"].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "bad request body: EOF"),
        ("   ", "bad request body: EOF"),
        ("{", None),
        ("{'name': 1}", None),
        ("nope", None),
        ('{"name": 1}', "bad request body: cannot unmarshal number 1 into Proxy.name of type string"),
        ('{"name":"a","enabled":"yes"}', None),
        ("[]", None),
        ('"a"', None),
        ("[" * 100_000, None),
        ('{"name": ' + "9" * 5000 + "}", None),
        ('{"name": NaN}', None),
        ("{}", "missing required field: name"),
        ("null", "missing required field: name"),
        ('{"name":""}', "missing required field: name"),
        ('{"name":"a"}', "missing required field: upstream"),
        ('{"name":"a","upstream":null}', "missing required field: upstream"),
        ('{"name":"a/b","upstream":"x"}', "invalid field: name 'a/b' cannot be part of a path"),
        ('{"name":"..","upstream":"x"}', "invalid field: name '..' cannot be part of a path"),
    ],
)
async def test_a_proxy_that_cannot_be_created_is_answered_with_400(body: str, text: str | None) -> None:
    async with serving() as served:
        status, said = error(await served.client.post("/proxies", content=body))
        assert (await served.client.get("/proxies")).json() == {}

    assert status == 400
    assert said.startswith("bad request body: ") if text is None else said == text


@pytest.mark.parametrize(
    "body",
    [
        f'{{"NAME":"web","Upstream":"{UPSTREAM}"}}',
        f'{{"name":"web","upstream":"{UPSTREAM}"}} and more {{',
        f'{{"name":"web","upstream":"{UPSTREAM}","enabled":null,"listen":null,"toxics":7,"other":[1]}}',
        f'\n\t {{"name":"x","name":"web","upstream":"{UPSTREAM}"}}',
    ],
)
async def test_a_body_is_read_as_go_reads_it(body: str) -> None:
    async with serving() as served:
        answer = await served.client.post("/proxies", content=body)

    assert answer.status_code == 201
    assert answer.json()["name"] == "web"
    assert answer.json()["enabled"] is True


async def test_half_a_surrogate_pair_in_a_name_is_replaced() -> None:
    async with serving() as served:
        answer = await served.client.post(
            "/proxies", content=f'{{"name":"a\\ud800","upstream":"{UPSTREAM}"}}'
        )
        assert answer.json()["name"] == "a\ufffd"
        assert (await served.client.get("/proxies/a%EF%BF%BD")).status_code == 200


async def test_a_name_that_is_taken_is_answered_with_409() -> None:
    async with serving() as served:
        await with_proxy(served)
        answer = await served.client.post("/proxies", json={"name": "web", "upstream": UPSTREAM})

    assert error(answer) == (409, "proxy already exists")


async def test_a_port_that_is_taken_is_answered_with_500_and_leaves_no_proxy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with serving() as served:
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            answer = await served.client.post(
                "/proxies", json={"name": "web", "upstream": UPSTREAM, "listen": listen}
            )
            assert (await served.client.get("/proxies/web")).status_code == 404

    assert error(answer) == (500, f"listen tcp {listen}: bind: address already in use")


@pytest.mark.parametrize("listen", ["junk", "nowhere.invalid:0", "127.0.0.1:99999", "127.0.0.1:x"])
async def test_a_place_that_is_none_is_answered_with_500(listen: str) -> None:
    async with serving() as served:
        answer = await served.client.post(
            "/proxies", json={"name": "web", "upstream": UPSTREAM, "listen": listen}
        )

    assert error(answer)[0] == 500


async def test_a_disabled_proxy_does_not_listen_until_it_is_enabled() -> None:
    async with serving() as served:
        created = await with_proxy(served, enabled=False, listen="localhost:0")
        assert created["enabled"] is False
        assert created["listen"] == "localhost:0"

        enabled = (await served.client.post("/proxies/web", json={"enabled": True})).json()

        assert enabled["enabled"] is True
        (await served.connect("web")).close()


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("PATCH", ""), ("DELETE", "")])
@pytest.mark.parametrize("name", ["none", "a%20b", "%C3%A4", "%ff"])
async def test_a_proxy_that_is_not_there_is_answered_with_404(method: str, path: str, name: str) -> None:
    async with serving() as served:
        answer = await served.client.request(method, f"/proxies/{name}{path}")

    assert error(answer) == (404, "proxy not found")


async def test_deleting_a_proxy_answers_with_nothing_and_frees_its_port() -> None:
    async with serving() as served:
        listen = (await with_proxy(served))["listen"]
        answer = await served.client.delete("/proxies/web")
        again = await with_proxy(served, listen=listen)

    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert again["listen"] == listen


# --- updates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_an_update_that_changes_nothing_keeps_sessions(method: str) -> None:
    async with serving() as served, listening() as upstream:
        created = await with_proxy(served, upstream=format_address(upstream.address))
        client, server = await served.pair("web", upstream)
        port = created["listen"].rpartition(":")[2]
        for body in ({}, created, {"listen": f"localhost:{port}"}, {"name": "other", "toxics": [1]}):
            answer = await served.client.request(method, "/proxies/web", json=body)
            assert answer.json() == created
        await client.send(b"still here")

        assert await server.receive(10) == b"still here"


@pytest.mark.parametrize("change", [{"upstream": "localhost:9"}, {"listen": "127.0.0.1:0"}, {"upstream": ""}])
async def test_an_update_that_moves_a_proxy_ends_its_sessions_and_keeps_its_toxics(
    change: dict[str, str],
) -> None:
    async with serving() as served, listening() as upstream:
        await with_proxy(served, upstream=format_address(upstream.address))
        await served.client.post("/proxies/web/toxics", json=TOXIC | {"stream": "upstream"})
        client, server = await served.pair("web", upstream)
        answer = (await served.client.patch("/proxies/web", json=change)).json()

        assert await client.read_until_eof() == b""
        assert await server.read_until_eof() == b""
        assert answer["enabled"] is True
        assert [toxic["name"] for toxic in answer["toxics"]] == ["slow"]
        (await served.connect("web")).close()


async def test_disabling_ends_sessions_with_a_fin_and_refuses_later_clients() -> None:
    async with serving() as served, listening() as upstream:
        await with_proxy(served, upstream=format_address(upstream.address))
        client, server = await served.pair("web", upstream)
        address = served.proxies.find("web").proxy.address  # type: ignore[union-attr]
        answer = await served.client.post("/proxies/web", json={"enabled": False})

        assert answer.json()["enabled"] is False
        assert await client.read_until_eof() == b""
        assert await server.read_until_eof() == b""
        with socket.socket() as later:
            assert later.connect_ex(address) != 0


async def test_enabling_again_takes_the_same_port_and_goes_on_counting_sessions() -> None:
    async with serving() as served, listening() as upstream:
        listen = (await with_proxy(served, upstream=format_address(upstream.address)))["listen"]
        await served.pair("web", upstream)
        await served.client.post("/proxies/web", json={"enabled": False})
        again = await served.client.post("/proxies/web", json={"enabled": True})
        await served.pair("web", upstream)
        await served.story.until("session.opened", session=2)

        assert again.json()["listen"] == listen
        assert list(served.proxies.find("web").sessions) == [2]


async def test_an_update_to_a_port_that_is_taken_disables_the_proxy_with_its_new_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        async with serving() as served:
            await with_proxy(served)
            answer = await served.client.patch("/proxies/web", json={"listen": listen})
            left = (await served.client.get("/proxies/web")).json()

    assert error(answer)[0] == 500
    assert (left["listen"], left["enabled"]) == (listen, False)


async def test_an_update_that_cannot_be_read_is_answered_with_400() -> None:
    async with serving() as served:
        created = await with_proxy(served)
        for body in ("", "{", '{"enabled": 1}', "[]"):
            assert error(await served.client.patch("/proxies/web", content=body))[0] == 400
        assert (await served.client.get("/proxies/web")).json() == created


# --- populate and reset --------------------------------------------------------------------------------


async def test_populate_creates_what_is_not_there_and_leaves_alone_what_is() -> None:
    async with serving() as served:
        there = await with_proxy(served)
        await served.client.post("/proxies/web/toxics", json=TOXIC)
        new = {"name": "db", "listen": "127.0.0.1:0", "upstream": UPSTREAM, "enabled": None}
        body = [{"name": "web", "listen": there["listen"], "upstream": UPSTREAM, "enabled": False}, new]
        answer = await served.client.post("/populate", json=body)

    assert answer.status_code == 201
    web, db = answer.json()["proxies"]
    assert web["enabled"] is True
    assert [toxic["name"] for toxic in web["toxics"]] == ["slow"]
    assert (db["name"], db["enabled"]) == ("db", True)


async def test_populate_puts_a_new_proxy_in_the_place_of_one_that_differs() -> None:
    async with serving() as served:
        there = await with_proxy(served)
        await served.client.post("/proxies/web/toxics", json=TOXIC)
        body = [{"name": "web", "listen": there["listen"], "upstream": "127.0.0.1:10"}]
        answer = await served.client.post("/populate", json=body)

    assert answer.json()["proxies"] == [
        {
            "name": "web",
            "listen": there["listen"],
            "upstream": "127.0.0.1:10",
            "enabled": True,
            "toxics": [],
        }
    ]


async def test_populate_with_nothing_answers_with_null() -> None:
    async with serving() as served:
        answer = await served.client.post("/populate", json=[])

    assert (answer.status_code, answer.text) == (201, '{"proxies":null}')


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ([{"name": "a", "upstream": "x"}, {"upstream": "x"}], "missing required field: name at proxy 2"),
        ([{"name": "a"}], "missing required field: upstream at proxy 1"),
        ({"name": "a"}, "bad request body: cannot unmarshal object into an array of proxies"),
        ([1], "bad request body: cannot unmarshal number 1 into Proxy, an object"),
    ],
)
async def test_populate_checks_everything_before_it_creates_anything(body: Any, text: str) -> None:
    async with serving() as served:
        answer = await served.client.post("/populate", json=body)
        assert (await served.client.get("/proxies")).json() == {}

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"error": text, "status": 400, "proxies": None}


async def test_populate_says_what_it_had_created_when_a_port_was_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with serving() as served:
            body = [
                {"name": "a", "upstream": UPSTREAM},
                {"name": "b", "upstream": UPSTREAM, "listen": f"127.0.0.1:{taken.getsockname()[1]}"},
            ]
            answer = await served.client.post("/populate", json=body)

    assert answer.status_code == 500
    assert [proxy["name"] for proxy in answer.json()["proxies"]] == ["a"]
    assert answer.json()["error"].endswith(": bind: address already in use")


async def test_reset_enables_all_proxies_and_removes_all_toxics_but_keeps_sessions() -> None:
    async with serving() as served, listening() as upstream:
        await with_proxy(served, upstream=format_address(upstream.address))
        await with_proxy(served, name="off", enabled=False)
        client, server = await served.pair("web", upstream)
        await served.client.post("/proxies/web/toxics", json=TOXIC)
        answer = await served.client.post("/reset")
        proxies = (await served.client.get("/proxies")).json()
        await client.send(b"still here")

        assert await server.receive(10) == b"still here"

    assert (answer.status_code, answer.content) == (204, b"")
    assert [(p["enabled"], p["toxics"]) for p in proxies.values()] == [(True, []), (True, [])]


async def test_reset_stops_at_a_proxy_that_cannot_listen() -> None:
    with closed_address() as address:
        async with serving() as served:
            await with_proxy(served, enabled=False, listen=format_address(address))
            answer = await served.client.post("/reset")

    assert error(answer)[0] == 500


# --- toxics --------------------------------------------------------------------------------------------


async def test_a_toxic_is_shown_with_all_attributes_and_defaults_in_order() -> None:
    async with serving() as served:
        await with_proxy(served)
        created = await served.client.post("/proxies/web/toxics", content='{"type":"latency"}')
        shown = await served.client.get("/proxies/web/toxics/latency_downstream")
        listed = await served.client.get("/proxies/web/toxics")

    assert created.status_code == 200
    assert created.text == (
        '{"attributes":{"latency":0,"jitter":0},"name":"latency_downstream","type":"latency",'
        '"stream":"downstream","toxicity":1}'
    )
    assert shown.text == created.text
    assert listed.text == f"[{created.text}]"


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("noop", {}),
        ("latency", {"latency": 5, "jitter": 1}),
        ("bandwidth", {"rate": 100}),
        ("slow_close", {"delay": 10}),
        ("timeout", {"timeout": 10}),
        ("reset_peer", {"timeout": 10}),
        ("slicer", {"average_size": 10, "size_variation": 2, "delay": 3}),
        ("limit_data", {"bytes": 100}),
        ("fin", {"rule": "client.fin -> hold"}),
    ],
)
async def test_every_type_of_toxic_can_be_added_and_removed(kind: str, attributes: dict[str, Any]) -> None:
    async with serving() as served:
        await with_proxy(served)
        body = {"type": kind, "stream": "upstream", "toxicity": 0.5, "attributes": attributes}
        created = await served.client.post("/proxies/web/toxics", json=body)
        removed = await served.client.delete(f"/proxies/web/toxics/{kind}_upstream")
        listed = await served.client.get("/proxies/web/toxics")

    assert created.json() == body | {"name": f"{kind}_upstream"}
    assert (removed.status_code, removed.content) == (204, b"")
    assert listed.text == "[]"


async def test_the_stream_is_matched_in_any_case_and_shown_as_it_was_sent() -> None:
    async with serving() as served:
        await with_proxy(served)
        answer = await served.client.post(
            "/proxies/web/toxics", json={"type": "slow_close", "stream": "UPSTREAM"}
        )

    assert (answer.json()["name"], answer.json()["stream"]) == ("slow_close_UPSTREAM", "UPSTREAM")


async def test_toxics_are_listed_the_client_s_bytes_first_each_in_the_order_of_creation() -> None:
    async with serving() as served:
        await with_proxy(served)
        for name, stream in (("a", "downstream"), ("b", "upstream"), ("c", "downstream"), ("d", "upstream")):
            await served.client.post("/proxies/web/toxics", json={**TOXIC, "name": name, "stream": stream})
        listed = (await served.client.get("/proxies/web/toxics")).json()

    assert [toxic["name"] for toxic in listed] == ["b", "d", "a", "c"]


async def test_a_name_is_unique_over_both_directions() -> None:
    async with serving() as served:
        await with_proxy(served)
        await served.client.post("/proxies/web/toxics", json=TOXIC)
        answer = await served.client.post("/proxies/web/toxics", json={**TOXIC, "stream": "upstream"})

    assert error(answer) == (409, "toxic already exists")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "bad request body: EOF"),
        ('{"type":"latency","stream":"sideways"}', BAD_STREAM),
        ('{"stream":"sideways"}', BAD_STREAM),
        ('{"type":"nope"}', "invalid toxic type"),
        ("{}", "invalid toxic type"),
        ('{"type":"latency","attributes":{"latency":"1"}}', None),
        ('{"type":"latency","attributes":{"latency":1.5}}', None),
        ('{"type":"latency","attributes":{"latency":true}}', None),
        ('{"type":"latency","attributes":{"latency":9223372036854775808}}', None),
        ('{"type":"latency","attributes":{"latency":1e400}}', None),
        ('{"type":"latency","attributes":[]}', None),
        ('{"type":"latency","toxicity":"1"}', None),
        ('{"type":"latency","toxicity":1e39}', None),
        ('{"type":"latency","toxicity":1e400}', None),
        ('{"type":"latency","name":5}', None),
        ('{"type":"fin"}', None),
        ('{"type":"fin","attributes":{"rule":"client.fni -> hold"}}', None),
        ('{"type":"fin","attributes":{"rule":7}}', None),
    ],
)
async def test_a_toxic_that_cannot_be_meant_is_answered_with_400(body: str, text: str | None) -> None:
    async with serving() as served:
        await with_proxy(served)
        status, said = error(await served.client.post("/proxies/web/toxics", content=body))
        assert (await served.client.get("/proxies/web/toxics")).json() == []

    assert status == 400
    assert said.startswith("bad request body: ") if text is None else said == text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("0.1", "0.1"),
        ("1", "1"),
        ("0", "0"),
        ("-3", "-3"),
        ("0.123456789", "0.12345679"),
    ],
)
async def test_toxicity_is_not_bounded_and_kept_in_32_bits(given: str, shown: str) -> None:
    async with serving() as served:
        await with_proxy(served)
        answer = await served.client.post(
            "/proxies/web/toxics", content=f'{{"type":"noop","toxicity":{given}}}'
        )

    assert answer.text.endswith(f'"toxicity":{shown}}}')


async def test_unknown_attributes_are_dropped_and_null_keeps_the_default() -> None:
    async with serving() as served:
        await with_proxy(served)
        body = {"type": "latency", "attributes": {"Latency": 7, "jitter": None, "rate": "x"}}
        answer = await served.client.post("/proxies/web/toxics", json=body)

    assert answer.json()["attributes"] == {"latency": 7, "jitter": 0}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_an_update_changes_what_is_named_of_attributes_and_toxicity_only(method: str) -> None:
    async with serving() as served:
        await with_proxy(served)
        await served.client.post("/proxies/web/toxics", json=TOXIC)
        body = {"name": "x", "type": "noop", "stream": "upstream", "attributes": {"jitter": 5}}
        answer = await served.client.request(method, "/proxies/web/toxics/slow", json=body)
        less = await served.client.request(method, "/proxies/web/toxics/slow", json={"toxicity": 0.25})

    assert answer.json() == {**TOXIC, "attributes": {"latency": 100, "jitter": 5}} | {
        "stream": "downstream",
        "toxicity": 1,
    }
    assert less.json()["toxicity"] == 0.25
    assert less.json()["attributes"] == {"latency": 100, "jitter": 5}


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_a_toxic_that_is_not_there_is_answered_with_404(method: str) -> None:
    async with serving() as served:
        await with_proxy(served)
        toxic = await served.client.request(method, "/proxies/web/toxics/none", content="{}")
        proxy = await served.client.request(method, "/proxies/none/toxics/none", content="{}")

    assert error(toxic) == (404, "toxic not found")
    assert error(proxy) == (404, "proxy not found")


async def test_the_rule_of_a_fin_toxic_is_carried_out_on_a_live_session() -> None:
    async with serving() as served, listening() as upstream:
        await with_proxy(served, upstream=format_address(upstream.address))
        client, _ = await served.pair("web", upstream)
        rule = {"rule": "client.fin -> drop"}
        await served.client.post("/proxies/web/toxics", json={"type": "fin", "attributes": rule})
        client.fin()

        assert (await served.story.until("fin.dropped")).fields["why"]


async def test_proxies_survive_as_json_that_clients_can_send_back() -> None:
    async with serving() as served:
        await with_proxy(served)
        await served.client.post("/proxies/web/toxics", json=TOXIC)
        proxies = (await served.client.get("/proxies")).json()
        answer = await served.client.post("/populate", content=json.dumps(list(proxies.values())))

    assert answer.json()["proxies"] == list(proxies.values())
