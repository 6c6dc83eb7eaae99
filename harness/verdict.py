"""Two verdicts on one session: what became of the data, and how it was closed, by whom.

They are never merged: a session can lose no byte and still be closed badly, and the reverse; one word for
both would hide it. Sans-I/O. This module must not know which outcome somebody hoped for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from harness.ladders.ladder import format_duration
from harness.states import TcpState
from harness.transitions import Track, Transition

S = TcpState


class DataKind(StrEnum):
    """What became of the bytes."""

    COMPLETE = "complete"
    LOST = "lost"
    ALTERED = "altered"


class CloseKind(StrEnum):
    """How the connection was closed."""

    CLEAN_FIN = "clean FIN"
    LATE_FIN = "late FIN"
    RESET = "reset"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction of bytes: how many were handed to TCP and how many came out, with digests if known."""

    name: str
    sent: int
    arrived: int
    sent_digest: str | None = None
    arrived_digest: str | None = None


@dataclass(frozen=True, slots=True)
class DataVerdict:
    """The kind, and a sentence that names the flow and the first byte concerned."""

    kind: DataKind
    detail: str


@dataclass(frozen=True, slots=True)
class CloseVerdict:
    """The kind, who did it ("client", "server", "both"; "" if nobody or unknown), and a sentence."""

    kind: CloseKind
    by: str
    detail: str


def judge_data(flows: Sequence[Flow]) -> DataVerdict:
    """Judge all flows together; the worst one decides."""
    lost = [flow for flow in flows if flow.arrived < flow.sent]
    if lost:
        return DataVerdict(DataKind.LOST, "; ".join(map(_lost, lost)))
    altered = [flow.name for flow in flows if _is_altered(flow)]
    if altered:
        return DataVerdict(DataKind.ALTERED, f"{', '.join(altered)}: not the bytes that were sent")
    total = sum(flow.arrived for flow in flows)
    return DataVerdict(DataKind.COMPLETE, f"all {total} bytes arrived")


def judge_close(client: Track, server: Track, *, late_after: float = 1.0) -> CloseVerdict:
    """Judge how both ends of a session were closed.

    `late_after`: seconds within which the second FIN has to follow the first. Whoever took longer is the
    `by` of a late FIN. A connection whose second FIN has not come yet counts as closed by none.
    """
    ends = {"client": client, "server": server}
    # What the kernel reported at either end is better evidence than what states alone suggest.
    for reset in (_reported_reset, _reset_by_states):
        for name, track in ends.items():
            if how := reset(track):
                by = name if how == "sent" else _other(name)
                return CloseVerdict(CloseKind.RESET, by, f"{name}: reset {how}")
    for name, track in ends.items():
        stay = _stay_in_close_wait(track)
        if stay is not None and stay > late_after:
            detail = f"{name} stayed {format_duration(stay)} in CLOSE-WAIT before its own FIN"
            return CloseVerdict(CloseKind.LATE_FIN, name, detail)
    first = [name for name, track in ends.items() if _state_at(track, S.FIN_WAIT_1) is not None]
    open_ends = [name for name, track in ends.items() if not _has_sent_fin(track)]
    if open_ends:
        waiting = " and ".join(open_ends)
        return CloseVerdict(CloseKind.NONE, "", f"no FIN of {waiting} was seen")
    by = "both" if len(first) == 2 else "".join(first)
    return CloseVerdict(CloseKind.CLEAN_FIN, by, f"closed first by {by or 'an end that was not seen'}")


def _lost(flow: Flow) -> str:
    return f"{flow.name}: {flow.sent - flow.arrived} bytes lost from byte {flow.arrived} on"


def _is_altered(flow: Flow) -> bool:
    known = flow.sent_digest is not None and flow.arrived_digest is not None
    return flow.arrived != flow.sent or (known and flow.sent_digest != flow.arrived_digest)


def _reported_reset(track: Track) -> str:
    kinds = (event.kind for event in track.segments if event.kind != "retransmission")
    return next(kinds, "").removeprefix("reset ")


def _reset_by_states(track: Track) -> str:
    """Return "received" if only a reset explains the end; the peer is then taken for its sender."""
    for step in track.transitions:
        if (
            step.after is S.CLOSED
            and step.before in {S.ESTABLISHED, S.FIN_WAIT_1}
            and not step.may_hide_rungs
        ):
            return "received"
    return ""


def _other(name: str) -> str:
    return "server" if name == "client" else "client"


def _state_at(track: Track, state: TcpState) -> Transition | None:
    return next((step for step in track.transitions if step.after is state), None)


def _has_sent_fin(track: Track) -> bool:
    states = {step.after for step in track.transitions}
    left_close_wait = any(
        a.after is S.CLOSE_WAIT and b.after is S.CLOSED for a, b in pairwise(track.transitions)
    )
    return bool(states & {S.FIN_WAIT_1, S.LAST_ACK}) or left_close_wait


def _stay_in_close_wait(track: Track) -> float | None:
    for step, following in pairwise(track.transitions):
        if step.after is S.CLOSE_WAIT:
            return following.at - step.at
    return None
