"""Proxies, sessions and records as /v1 shows them.

This module must not know requests.
"""

from __future__ import annotations

from typing import cast

import msgspec

from ...legs import Leg
from ...notation import format_action
from ...records import Record
from ...rules import Rule
from ...session import Session
from ...toxics import Toxic
from ...web.feed import Feed, Numbered
from ..managed import Managed
from . import shapes


def proxy(managed: Managed) -> shapes.ProxyShape:
    """A proxy as it is."""
    return shapes.ProxyShape(
        name=managed.name,
        listen=managed.listen,
        upstream=managed.upstream,
        enabled=managed.enabled,
        rules=rules(managed.settings.rules).rules,
        toxics=toxics(managed.settings.toxics).toxics,
        seed=managed.settings.seed,
        technique=managed.proxy.technique if managed.proxy else None,
        sessions=shapes.SessionCounts(len(managed.sessions), managed.opened, managed.refused),
    )


def rules(given: tuple[Rule, ...]) -> shapes.Rules:
    """Rules in the notation."""
    return shapes.Rules([str(rule) for rule in given])


def toxics(given: tuple[Toxic, ...]) -> shapes.Toxics:
    """Toxics as Toxiproxy shows them."""
    return shapes.Toxics([shapes.ToxicShape(**toxic.as_dict()) for toxic in given])


def session(managed: Managed, live: Session) -> shapes.SessionShape:
    """A live session, without its records."""
    return shapes.SessionShape(
        proxy=managed.name,
        session=live.number,
        open=True,
        age=round(live.age, 6),
        client=live.client.local,
        listen=live.client.remote,
        local=live.server.remote,
        server=live.server.local,
        legs={leg.value: _leg(live, leg) for leg in Leg},
    )


def session_with_records(
    managed: Managed, number: int, feed: Feed[Record], known: list[Numbered[Record]]
) -> shapes.SessionShape | None:
    """A session with what is known of it, live or not; None where nothing is known."""
    complete = bool(known) and known[0].item.event == "session.opened"
    live = managed.sessions.get(number)
    if live:
        shape = session(managed, live)
    elif complete:
        shape = _closed(managed, number, known)
    else:
        return None
    return msgspec.structs.replace(shape, records=records(feed, known), complete=complete)


def records(feed: Feed[Record], numbered: list[Numbered[Record]]) -> list[shapes.RecordShape]:
    """Records: their JSON as it is made once for all readers, which is why it is not made of shapes here."""
    return cast("list[shapes.RecordShape]", [msgspec.Raw(feed.encoded(one)) for one in numbered])


def _closed(managed: Managed, number: int, known: list[Numbered[Record]]) -> shapes.SessionShape:
    opened, last = known[0].item.fields, known[-1].item
    return shapes.SessionShape(
        proxy=managed.name,
        session=number,
        open=False,
        age=None,
        client=opened["client"],
        listen=opened["listen"],
        local=opened["local"],
        server=opened["server"],
        legs={},
        ending=dict(last.fields) if last.event == "session.closed" else None,
    )


def _leg(live: Session, leg: Leg) -> shapes.LegShape:
    kept, waiting = live.kept(leg), live.waiting(leg)
    return shapes.LegShape(
        state=live.leg_state(leg).value,
        flow=live.flow_state(leg).value,
        bytes=live.bytes_from(leg),
        held=shapes.Held(kept.by.name, round(live.age - kept.since, 6)) if kept else None,
        armed=live.armed(leg),
        waiting=shapes.Waiting(waiting.name, format_action(waiting.rule.action)) if waiting else None,
        tcp=live.tcp_state(leg),
    )
