"""Made-up tracks and journal records for drawing tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.rows import Endpoint
from harness.states import TcpState, parse_state
from harness.transitions import Inferred, Observed, SegmentEvent, Transition

CLIENT = Endpoint.of((("127.0.0.1", 50312), ("127.0.0.1", 9000)))
SERVER = Endpoint.of((("127.0.0.1", 80), ("127.0.0.1", 41200)))


@dataclass
class MadeTrack:
    """A track whose transitions are written as "state at seconds"."""

    transitions: Sequence[Transition]
    segments: Sequence[SegmentEvent] = field(default_factory=tuple)


def track(endpoint: Endpoint, text: str, *segments: SegmentEvent) -> MadeTrack:
    """Read "ESTABLISHED 0 > FIN-WAIT-1 0.5 > (FIN-WAIT-2) 0.6"; parentheses mark an inferred rung."""
    steps: list[Transition] = []
    before: TcpState | None = None
    for part in text.split(">"):
        name, at = part.split()
        after = parse_state(name.strip("()"))
        evidence = Inferred("the next") if name.startswith("(") else Observed("test", exact=True)
        steps.append(Transition(endpoint, before, after, float(at), float(at), evidence))
        before = after
    return MadeTrack(steps, segments)


def held_close() -> tuple[list[dict[str, Any]], MadeTrack, MadeTrack]:
    """Make a session whose client FIN the proxy held for two seconds: records, client and server."""
    records = [
        {
            "t": 0.0,
            "at": "2026-11-22T10:00:00.000000Z",
            "session": 1,
            "event": "session.opened",
            "client": ["127.0.0.1", 50312],
            "listen": ["127.0.0.1", 9000],
            "local": ["127.0.0.1", 41200],
            "server": ["127.0.0.1", 80],
        },
        {"t": 0.51, "session": 1, "event": "fin.received", "leg": "client", "bytes": 1024},
        {"t": 0.52, "session": 1, "event": "fin.held", "leg": "client", "rule": "client.fin -> hold 2s"},
        {"t": 2.52, "session": 1, "event": "fin.sent", "leg": "server"},
        {"t": 2.7, "session": 1, "event": "session.closed", "ending": "clean"},
    ]
    client = track(CLIENT, "ESTABLISHED 0 > FIN-WAIT-1 0.5 > (FIN-WAIT-2) 0.505 > TIME-WAIT 2.6")
    server = track(SERVER, "ESTABLISHED 0 > CLOSE-WAIT 2.51 > LAST-ACK 2.55 > CLOSED 2.56")
    return records, client, server
