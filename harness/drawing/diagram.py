"""The model of a ladder diagram (Figure 214 of The TCP/IP Guide) for what really happened.

Columns are the parties, lines are moments in order of time; each line has states, one arrow, or a remark.
Built from transitions alone (a direct connection) or from the proxy's journal records and the transitions
of both outer ends (a session: client, the proxy's two legs, server). This module must not know how a
diagram is painted.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from harness.errors import UsageError
from harness.rows import Address, Endpoint
from harness.states import TcpState
from harness.transitions import Inferred, Track

S = TcpState

# Which states are entered by receiving the ACK of one's own FIN, and which by acknowledging the peer's
# (RFC 9293, Figure 5).
_ACK_RECEIVED = {(S.FIN_WAIT_1, S.FIN_WAIT_2), (S.CLOSING, S.TIME_WAIT), (S.LAST_ACK, S.CLOSED)}
_ACK_SENT = {
    (S.ESTABLISHED, S.CLOSE_WAIT),
    (S.FIN_WAIT_1, S.CLOSING),
    (S.FIN_WAIT_1, S.TIME_WAIT),
    (S.FIN_WAIT_2, S.TIME_WAIT),
}
_FIN_SENT = {S.FIN_WAIT_1, S.LAST_ACK}
_CLIENT, _CLIENT_LEG, _SERVER_LEG, _SERVER = range(4)


class _Rank(IntEnum):
    """What comes first at one moment: a segment arrives, changes a state, and that state sends segments."""

    REMARK = 0
    FIN_ARRIVES = 1
    ACK_ARRIVES = 2
    STATE = 3
    LEAVES = 4


@dataclass(frozen=True, slots=True)
class Column:
    """One party: what it is called and its address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class StateMark:
    """A column is in this state from here on. `is_inferred`: no source showed it."""

    column: int
    state: TcpState
    is_inferred: bool


@dataclass(frozen=True, slots=True)
class Arrow:
    """A segment from one column to the next. `is_kept_out`: it came there, and was not accepted."""

    sender: int
    receiver: int
    label: str
    is_kept_out: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One moment, in seconds since the diagram's beginning, with exactly one kind of content.

    `rank` orders lines of the same moment.
    """

    at: float
    rank: int
    states: tuple[StateMark, ...] = ()
    arrow: Arrow | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Diagram:
    """A whole ladder diagram, ready to be painted."""

    title: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]


def connection_diagram(client: Track, server: Track, *, title: str = "connection") -> Diagram:
    """Return the two-column diagram of a direct connection, all of it derived from the states of its ends."""
    tracks = {0: client, 1: server}
    began = min((track.transitions[0].at for track in tracks.values() if track.transitions), default=0.0)
    lines = [
        *_state_lines(tracks, began),
        *_ack_lines(tracks, {0: 1, 1: 0}, began),
        *_fin_lines(tracks, began),
    ]
    columns = tuple(Column(name, _address(track)) for name, track in (("client", client), ("server", server)))
    return Diagram(title, columns, _in_order(lines))


def session_diagram(
    records: Sequence[Mapping[str, Any]],
    client: Track,
    server: Track,
    *,
    client_leg: Track | None = None,
    server_leg: Track | None = None,
    opened_at: float | None = None,
) -> Diagram:
    """Return the four-column diagram of one session of the proxy.

    `records` are the journal's records of the session, session.opened first. `client` and `server` are what
    was seen of the real ends; the proxy's own legs may be watched too. `opened_at` is when the session
    opened in monotonic seconds; without it the wall-clock time in session.opened is converted.

    Raises UsageError if the records do not begin with session.opened.
    """
    opened = _opened(records)
    began = _opened_at(opened) if opened_at is None else opened_at
    given = {_CLIENT: client, _CLIENT_LEG: client_leg, _SERVER_LEG: server_leg, _SERVER: server}
    tracks = {column: track for column, track in given.items() if track is not None}
    peers = {_CLIENT: _CLIENT_LEG, _CLIENT_LEG: _CLIENT, _SERVER_LEG: _SERVER, _SERVER: _SERVER_LEG}
    lines = [
        *_state_lines(tracks, began),
        *_ack_lines(tracks, peers, began),
        *(_record_line(record, tracks, began) for record in records),
    ]
    return Diagram(f"session {opened.get('session', '?')}", _columns(opened), _in_order(lines))


def session_endpoints(opened: Mapping[str, Any]) -> dict[str, Endpoint]:
    """Return the four endpoints named by a session.opened record: client, client leg, server leg, server."""
    client, listen, local, server = (
        Address.of(tuple(opened[key])) for key in ("client", "listen", "local", "server")
    )
    return {
        "client": Endpoint(client, listen),
        "client leg": Endpoint(listen, client),
        "server leg": Endpoint(local, server),
        "server": Endpoint(server, local),
    }


def _opened(records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    if not records or records[0].get("event") != "session.opened":
        found = records[0].get("event") if records else "no record"
        raise UsageError(
            f"expected the records of one session, session.opened first, found {found}; "
            "give all records of the session in order"
        )
    return records[0]


def _columns(opened: Mapping[str, Any]) -> tuple[Column, ...]:
    names = (("client", "client"), ("client leg", "listen"), ("server leg", "local"), ("server", "server"))
    return tuple(Column(name, str(Address.of(tuple(opened[key])))) for name, key in names)


def _opened_at(opened: Mapping[str, Any]) -> float:
    wall = datetime.fromisoformat(str(opened["at"])).timestamp()
    return wall - (time.time() - time.monotonic()) - float(opened["t"])


def _address(track: Track) -> str:
    return str(track.transitions[0].endpoint.local) if track.transitions else ""


def _state_lines(tracks: Mapping[int, Track], began: float) -> Iterator[Line]:
    for column, track in tracks.items():
        for step in track.transitions:
            mark = StateMark(column, step.after, isinstance(step.evidence, Inferred))
            # What was so before the diagram begins is drawn at its top.
            yield Line(max(0.0, step.at - began), _Rank.STATE, states=(mark,))


def _ack_lines(tracks: Mapping[int, Track], peers: Mapping[int, int], began: float) -> Iterator[Line]:
    for column, track in tracks.items():
        was_reset = any(event.kind != "retransmission" for event in track.segments)
        for step in track.transitions:
            edge = (step.before, step.after)
            if edge in _ACK_SENT:
                yield Line(step.at - began, _Rank.LEAVES, arrow=Arrow(column, peers[column], "ACK"))
            # If the other end is watched too, its own line has drawn this ACK already.
            elif edge in _ACK_RECEIVED and peers[column] not in tracks and not was_reset:
                yield Line(step.at - began, _Rank.ACK_ARRIVES, arrow=Arrow(peers[column], column, "ACK"))


def _fin_lines(tracks: Mapping[int, Track], began: float) -> Iterator[Line]:
    for column, track in tracks.items():
        for step in track.transitions:
            if step.after in _FIN_SENT:
                yield Line(step.at - began, _Rank.LEAVES, arrow=Arrow(column, 1 - column, "FIN"))
        for event in track.segments:
            if event.kind == "reset sent":
                yield Line(event.at - began, _Rank.LEAVES, arrow=Arrow(column, 1 - column, "RST"))


def _record_line(record: Mapping[str, Any], tracks: Mapping[int, Track], began: float) -> Line:
    event, leg, at = str(record["event"]), str(record.get("leg", "")), float(record["t"])
    what, _, how = event.partition(".")
    label = {"fin": "FIN", "reset": "RST"}.get(what)
    ends = {"client": (_CLIENT, _CLIENT_LEG), "server": (_SERVER, _SERVER_LEG)}.get(leg)
    if ends is not None and event == "fin.held" and "technique" in record:
        return Line(at, _Rank.LEAVES, arrow=Arrow(*ends, "FIN", is_kept_out=True))
    if label is None or ends is None or how not in {"received", "sent"}:
        return Line(at, _Rank.REMARK, remark=_remark(event, leg, record))
    far, near = ends
    arrow = Arrow(far, near, label) if how == "received" else Arrow(near, far, label)
    proof = _first_proof(tracks, far, near, how) if label == "FIN" else None
    # The proxy writes its record a moment after the segment passed; the kernel's state is the better witness.
    if proof is not None and proof - began < at:
        return Line(proof - began, _Rank.FIN_ARRIVES, arrow=arrow)
    return Line(at, _Rank.LEAVES, arrow=arrow)


def _first_proof(tracks: Mapping[int, Track], far: int, near: int, how: str) -> float | None:
    """Return when the kernels first showed that the proxy's FIN, or the far end's, had been accepted."""
    # What accepts a FIN answers at once; what sent it learns by the ACK.
    acceptor, sender = (near, far) if how == "received" else (far, near)
    effects = (
        _first_effect(tracks.get(acceptor), _ACK_SENT),
        _first_effect(tracks.get(sender), _ACK_RECEIVED),
    )
    return min((at for at in effects if at is not None), default=None)


def _first_effect(track: Track | None, edges: AbstractSet[tuple[TcpState, TcpState]]) -> float | None:
    steps = () if track is None else track.transitions
    return next((step.at for step in steps if (step.before, step.after) in edges), None)


def _remark(event: str, leg: str, record: Mapping[str, Any]) -> str:
    details = [leg, *(str(record[key]) for key in ("rule", "reason", "ending", "technique") if key in record)]
    return " ".join([event, *filter(None, details)])


def _in_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(_merged(sorted(lines, key=lambda line: (line.at, line.rank))))


def _merged(lines: Iterable[Line]) -> Iterator[Line]:
    """Put the states that different columns entered at the same moment on one line."""
    kept: Line | None = None
    for line in lines:
        if kept is not None and _can_share(kept, line):
            kept = Line(kept.at, kept.rank, states=(*kept.states, *line.states))
            continue
        if kept is not None:
            yield kept
        kept = line
    if kept is not None:
        yield kept


def _can_share(kept: Line, line: Line) -> bool:
    taken = {mark.column for mark in kept.states}
    is_same_moment = line.at == kept.at and kept.states and line.states
    return bool(is_same_moment) and not taken & {mark.column for mark in line.states}
