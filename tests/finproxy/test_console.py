from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from finproxy import Leg, Record
from finproxy.console import SessionLines, describe_ending, held_list

CLEAN: dict[str, Any] = {
    "closed_first": "client",
    "ended": {"client": "fin", "server": "fin"},
    "relayed": {"client": "fin", "server": "fin"},
    "bytes": {"client": 1024, "server": 5},
    "kept": {"client": 0.0, "server": 0.0},
    "duration": 0.25,
    "lost": 0,
    "losses": [],
    "aborted": None,
}
OPENED: dict[str, Any] = {"client": ["127.0.0.1", 50000], "server": ["::1", 80]}


def record(event: str, leg: Leg | None = None, *, at: float = 0.0, **fields: Any) -> Record:
    return Record(event, 0.0, at, None, 3, leg, fields)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "client closed first · client FIN relayed · server FIN relayed · 1.0 KiB up, 5 B down in 250ms"),
        ({"kept": {"client": 2.0, "server": 0.0}}, "client FIN kept 2s, relayed"),
        ({"ended": {"client": "fin", "server": "reset"}}, "server RST, the other end saw FIN"),
        ({"relayed": {"client": "nothing", "server": "fin"}}, "client FIN, never relayed"),
        ({"ended": {"client": "open", "server": "fin"}}, "client still open, the other end saw FIN"),
        ({"losses": [{"leg": "client", "bytes": 10, "why": "a rule"}]}, "lost 10 B of the client's (a rule)"),
        ({"aborted": "the proxy was stopped"}, "aborted: the proxy was stopped"),
        ({"closed_first": None}, "neither end closed"),
    ],
)
def test_an_ending_is_told_in_words(changes: dict[str, Any], text: str) -> None:
    assert text in describe_ending(CLEAN | changes).plain


def test_a_session_that_ends_gets_one_line_with_its_addresses() -> None:
    out = io.StringIO()
    lines = SessionLines(Console(file=out, width=200))

    lines(record("session.opened", **OPENED))
    lines(record("session.closed", **CLEAN))

    assert out.getvalue().startswith("#3 127.0.0.1:50000 → [::1]:80  client closed first")
    assert len(out.getvalue().splitlines()) == 1


def test_a_refused_client_gets_a_line_with_the_reason() -> None:
    out = io.StringIO()
    lines = SessionLines(Console(file=out, width=200))

    lines(
        record(
            "session.refused", client=["127.0.0.1", 5], upstream="127.0.0.1:9", reason="Connection refused"
        )
    )

    assert "refused: Connection refused; the client was reset" in out.getvalue()


def test_verbose_prints_every_record_as_it_is() -> None:
    out = io.StringIO()
    lines = SessionLines(Console(file=out, width=200), verbose=True)

    lines(record("fin.received", Leg.CLIENT, bytes=5))

    assert '"event": "fin.received", "leg": "client", "bytes": 5' in out.getvalue()


def test_what_is_held_is_listed_with_its_time_until_it_is_let_go() -> None:
    lines = SessionLines(Console(file=io.StringIO()))
    lines(record("fin.held", Leg.CLIENT, at=10.0, rule="client.fin -> hold"))

    assert held_list(lines, now=12.5).plain == "  held: #3 client FIN for 2s500ms  (client.fin -> hold)"

    lines(record("fin.released", Leg.CLIENT, kept=2.5, why="request"))

    assert held_list(lines, now=13.0).plain == ""


def test_a_session_that_ends_while_held_is_not_listed_any_more() -> None:
    lines = SessionLines(Console(file=io.StringIO()))
    lines(record("reset.held", Leg.SERVER, rule="server.reset -> hold"))

    lines(record("session.closed", **CLEAN))

    assert not lines.held


def test_a_long_list_of_held_ends_is_cut_with_a_count() -> None:
    lines = SessionLines(Console(file=io.StringIO()))
    for number in range(25):
        lines(Record("fin.held", 0, 0, None, number, Leg.CLIENT, {"rule": "client.fin -> hold"}))

    shown = held_list(lines, now=1.0).plain.splitlines()

    assert shown[-1] == "  and 15 more"
    assert len(shown) == 11
