"""What was seen of a session, as values for an outcome: both ends' ladders, the journal, drawings, the close.

This module must not know any scenario, nor what is right.
"""

from collections.abc import Iterator, Mapping, Sequence

import finproxy
from harness.drawing.diagram import connection_diagram
from harness.drawing.svg import draw_svg
from harness.drawing.text import draw_text
from harness.errors import UsageError
from harness.ladders import Ladder
from harness.proxied_end import ProxiedEnd
from harness.proxied_session import ProxiedSession
from harness.scenarios.outcome import EndSeen, SessionSeen
from harness.scenarios.scenario import Scenario
from harness.transitions import JOURNAL
from harness.verdict import CloseKind, CloseVerdict

_LATE_AFTER = 1.0
"""Seconds after the first FIN from which on the second one counts as late."""


def ladder_or_none(text: str) -> Ladder | None:
    """The ladder that a text prescribes; None if it is a sentence."""
    try:
        return Ladder.parse(text)
    except UsageError:
        return None


def end_seen(end: ProxiedEnd, expected: str) -> EndSeen:
    """One end as it is now, beside what was expected of it."""
    ladder = ladder_or_none(expected)
    mismatch = ""
    if ladder is not None:
        mismatch = "; ".join(str(finding) for finding in end.match(ladder).findings)
    observed = tuple(str(step.after) for step in end.transitions)
    return EndSeen(end.name, expected, observed, mismatch)


def session_seen(session: ProxiedSession, scenario: Scenario, rules: Sequence[str]) -> SessionSeen:
    """A session of a proxy; its sockets must still be there."""
    expected = {"client": scenario.client_end, "server": scenario.server_end}
    return SessionSeen(
        f"session {session.number}",
        tuple(rules),
        tuple(record.as_dict() for record in session.records),
        tuple(end_seen(end, expected.get(name, "-")) for name, end in session.ends.items()),
        session.draw(),
        session.draw_svg(),
    )


def connection_seen(
    title: str, ends: Mapping[str, str], client: ProxiedEnd, server: ProxiedEnd
) -> SessionSeen:
    """A connection without a proxy between its ends; `ends` maps their names to what was expected."""
    seen = tuple(end_seen(end, ends.get(end.name, "-")) for end in (client, server))
    diagram = connection_diagram(client, server, title=title)
    return SessionSeen(title, (), (), seen, draw_text(diagram, width=100), draw_svg(diagram))


def resets_told(ends: Mapping[str, ProxiedEnd]) -> Iterator[str]:
    """Who reset and why, where the kernel reports it (the tracepoint, as root)."""
    for name, end in ends.items():
        for event in end.segments:
            if event.kind.startswith("reset") and event.source != JOURNAL:
                why = f", because of {event.reason}" if event.reason else ""
                yield f"the kernel reports: {event.kind} at the {name}{why}"


def came(session: ProxiedSession, event: str, leg: str) -> bool:
    """Whether the proxy has recorded this event of this leg."""
    return any(record.event == event and _leg(record) == leg for record in session.records)


def how_closed(records: Sequence[finproxy.Record]) -> CloseVerdict:
    """How the real ends closed a session and who was first, by the proxy's journal.

    A second FIN that came late is blamed on whoever sent it.
    """
    came = [record for record in records if record.event in {"fin.received", "reset.received"} and record.leg]
    resets = [record for record in came if record.event == "reset.received"]
    if resets:
        return CloseVerdict(CloseKind.RESET, _leg(resets[0]), f"the {_leg(resets[0])} reset the connection")
    fins = {_leg(record): record for record in came}
    missing = [leg for leg in ("client", "server") if leg not in fins]
    if missing:
        return CloseVerdict(CloseKind.NONE, "", f"no FIN of the {' and the '.join(missing)} came")
    first, second = list(fins)[:2]
    gap = fins[second].t - fins[first].t
    if gap > _LATE_AFTER:
        return CloseVerdict(
            CloseKind.LATE_FIN, second, f"the {second}'s FIN came {gap:.1f} s after the other"
        )
    return CloseVerdict(CloseKind.CLEAN_FIN, first, f"FIN both ways, the {first}'s first")


def _leg(record: finproxy.Record) -> str:
    return record.leg.value if record.leg else ""
