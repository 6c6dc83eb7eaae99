from __future__ import annotations

import json
import re
from pathlib import Path

import finproxy
from finproxy.legs import Ending, FlowEnd, FlowEnding, Leg, Loss, Relayed
from finproxy.records import EVENTS, Record, ending_fields


def test_a_record_is_flat_and_tells_its_time_twice() -> None:
    record = Record("fin.received", 0.5000004, 1_795_342_200.123456, None, 1, Leg.CLIENT, {"bytes": 1024})
    assert record.as_dict() == {
        "t": 0.5,
        "at": "2026-11-22T10:10:00.123456Z",
        "session": 1,
        "event": "fin.received",
        "leg": "client",
        "bytes": 1024,
    }


def test_what_is_not_known_is_left_out_and_what_is_none_in_the_fields_is_not() -> None:
    record = Record("session.closed", 0.0, 0.0, fields={"aborted": None})
    assert record.as_dict() == {
        "t": 0.0,
        "at": "1970-01-01T00:00:00.000000Z",
        "event": "session.closed",
        "aborted": None,
    }


def test_the_proxys_name_comes_before_the_session() -> None:
    assert list(Record("x", 0, 0, "web", 3).as_dict()) == ["t", "at", "proxy", "session", "event"]


def test_the_events_are_those_that_the_sources_record() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(finproxy.__file__).parent.rglob("*.py")]
    calls = re.findall(r'(?:[Rr]ecord|report|_text)\([^()"]*?f?"([a-z{}.]+\.[a-z]+)"', "".join(sources))
    recorded = {call.replace("{end.noun}", noun) for call in calls for noun in ("fin", "reset")}
    assert recorded == set(EVENTS)


ENDING = Ending(
    client=FlowEnding(FlowEnd.FIN, Relayed.FIN, 1000, kept=2.0000004),
    server=FlowEnding(FlowEnd.RESET, Relayed.NOTHING, 5),
    closed_first=Leg.CLIENT,
    duration=2.5000004,
    losses=(Loss(Leg.CLIENT, 10, "client.fin -> truncate 10"), Loss(Leg.SERVER, 5, "the client is gone")),
)


def test_an_ending_tells_of_each_flow_and_each_loss() -> None:
    assert ending_fields(ENDING) == {
        "closed_first": "client",
        "ended": {"client": "fin", "server": "reset"},
        "relayed": {"client": "fin", "server": "nothing"},
        "bytes": {"client": 1000, "server": 5},
        "kept": {"client": 2.0, "server": 0.0},
        "duration": 2.5,
        "lost": 15,
        "losses": [
            {"leg": "client", "bytes": 10, "why": "client.fin -> truncate 10"},
            {"leg": "server", "bytes": 5, "why": "the client is gone"},
        ],
        "aborted": None,
    }


def test_an_ending_can_be_written_as_json() -> None:
    assert json.loads(json.dumps(ending_fields(ENDING))) == ending_fields(ENDING)


def test_nobody_closed_first_where_the_proxy_ended_both() -> None:
    open_flow = FlowEnding(FlowEnd.OPEN, Relayed.NOTHING, 0)
    fields = ending_fields(Ending(open_flow, open_flow, None, 1.0, aborted="the proxy was stopped"))
    assert fields["closed_first"] is None
    assert fields["aborted"] == "the proxy was stopped"
