"""How the agent's values are written as JSON, in both directions.

    {"kind": "transition", "local": ["172.18.0.3", 8000], "remote": ["172.18.0.4", 40312],
     "before": "ESTABLISHED", "after": "FIN-WAIT-1", "at": 5120.25, "earliest": 5120.24,
     "seen_by": "sock_diag", "exact": false, "owner": {"pid": 7, "program": "nginx"}}

`at` and `earliest` are seconds of the agent's monotonic clock; `earliest` is null where nothing bounds it. A
state that nobody saw has `proved_by` in place of `seen_by`. Sans-I/O: this module must not know HTTP.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

from harness.rows import Endpoint, Owner, SocketRow
from harness.states import TcpState
from harness.transitions import Evidence, FarEvent, Inferred, Observed, OwnerFound, SegmentEvent, Transition

_NUMBERS = ("inode", "uid", "receive_queue", "send_queue", "silent_for")
_SEGMENTS: Mapping[str, Literal["reset sent", "reset received", "retransmission"]] = {
    "reset sent": "reset sent",
    "reset received": "reset received",
    "retransmission": "retransmission",
}


def spell_event(event: FarEvent) -> dict[str, Any]:
    """Return what an endpoint went through as JSON values."""
    head = spell_endpoint(event.endpoint)
    if isinstance(event, Transition):
        return {"kind": "transition", **head, **_spell_transition(event)}
    if isinstance(event, OwnerFound):
        return {"kind": "owner", **head, "owner": _spell_owner(event.owner)}
    return {"kind": event.kind, **head, "at": event.at, "seen_by": event.source, "reason": event.reason}


def read_event(told: Mapping[str, Any], shift: float = 0.0) -> FarEvent:
    """Return the event that JSON values tell, `shift` seconds added to its times.

    Raises:
        KeyError, TypeError, ValueError: these are no such values.

    """
    endpoint, kind = read_endpoint(told), told["kind"]
    if kind == "transition":
        return _read_transition(endpoint, told, shift)
    if kind == "owner":
        return OwnerFound(endpoint, Owner(**told["owner"]))
    return SegmentEvent(_SEGMENTS[kind], endpoint, told["at"] + shift, told["seen_by"], told["reason"])


def spell_endpoint(endpoint: Endpoint) -> dict[str, Any]:
    """Return both addresses."""
    return {"local": list(endpoint.local), "remote": list(endpoint.remote)}


def read_endpoint(told: Mapping[str, Any]) -> Endpoint:
    """Return the endpoint with these two addresses."""
    return Endpoint.of((tuple(told["local"]), tuple(told["remote"])))


def spell_row(row: SocketRow) -> dict[str, Any]:
    """Return one row of the table; a field that the source does not show is left out."""
    told = spell_endpoint(row.endpoint) | {"state": row.state.value, "seen_by": row.source}
    told |= {name: getattr(row, name) for name in _NUMBERS}
    told["timer"] = str(row.timer) if row.timer else None
    told["owner"] = _spell_owner(row.owner) if row.owner else None
    return {name: value for name, value in told.items() if value is not None}


def _spell_owner(owner: Owner) -> dict[str, Any]:
    # Without its command line, which may hold a password.
    return {"pid": owner.pid, "program": owner.program}


def _spell_transition(step: Transition) -> dict[str, Any]:
    return {
        "before": step.before.value if step.before else None,
        "after": step.after.value,
        "at": step.at,
        "earliest": step.earliest if math.isfinite(step.earliest) else None,
        **_spell_evidence(step.evidence),
        "owner": _spell_owner(step.owner) if step.owner else None,
    }


def _spell_evidence(evidence: Evidence) -> dict[str, Any]:
    if isinstance(evidence, Observed):
        return {"seen_by": evidence.source, "exact": evidence.exact}
    return {"proved_by": evidence.proved_by}


def _read_transition(endpoint: Endpoint, told: Mapping[str, Any], shift: float) -> Transition:
    return Transition(
        endpoint,
        TcpState(told["before"]) if told["before"] else None,
        TcpState(told["after"]),
        told["at"] + shift,
        -math.inf if told["earliest"] is None else told["earliest"] + shift,
        Observed(told["seen_by"], told["exact"]) if "seen_by" in told else Inferred(told["proved_by"]),
        Owner(**told["owner"]) if told["owner"] else None,
    )
