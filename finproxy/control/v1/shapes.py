"""What /v1 answers with: the types from which the schema is made.

Seconds are floats, `listen` and `upstream` are text, addresses of sessions are host and port. This module
must not know where values come from.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from .asked import LegName

HostPort: TypeAlias = tuple[str, int]


class Health(Struct, frozen=True):
    """That finproxy is there."""

    status: str
    version: str
    run: Annotated[str, Meta(description="Tells this process from an earlier one.")]


class ToxicShape(Struct, frozen=True):
    """A toxic as it is."""

    attributes: dict[str, Any]
    name: str
    type: str
    stream: str
    toxicity: float


class SessionCounts(Struct, frozen=True):
    """Sessions so far."""

    open: int
    opened: int
    refused: int


class ProxyShape(Struct, frozen=True):
    """A proxy as it is."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    rules: list[str]
    toxics: list[ToxicShape]
    seed: int
    technique: Annotated[str | None, Meta(description="What keeps FIN segments out for rules at wire.")]
    sessions: SessionCounts


class ProxyList(Struct, frozen=True):
    """All proxies, by name."""

    proxies: list[ProxyShape]


class Rules(Struct, frozen=True):
    """All rules of a proxy."""

    rules: list[str]


class Toxics(Struct, frozen=True):
    """All toxics of a proxy."""

    toxics: list[ToxicShape]


class Held(Struct, frozen=True, rename={"seconds": "for"}):
    """What keeps an end, and since when."""

    rule: str
    seconds: float


class Waiting(Struct, frozen=True):
    """What is done to an end when it comes: by which rule, or by request."""

    rule: str
    action: str


class LegShape(Struct, frozen=True):
    """One leg, and the end of the flow that comes from its endpoint."""

    state: Literal["open", "peer done", "we are done", "closed", "aborted"]
    flow: Literal["flowing", "kept", "telling", "told", "dropped"]
    bytes: int
    held: Held | None
    armed: Annotated[bool, Meta(description="An action waits for the end to come.")]
    waiting: Annotated[Waiting | None, Meta(description="That action; null where there is none.")]
    tcp: Annotated[str | None, Meta(description="The kernel's state of the proxy's end of this leg.")]


class RecordShape(Struct, frozen=True):
    """A line of the journal, with its number; the other keys depend on the event."""

    id: int
    t: float
    at: str
    event: str
    proxy: str | UnsetType = UNSET
    session: int | UnsetType = UNSET
    leg: LegName | UnsetType = UNSET


class SessionShape(Struct, frozen=True):
    """A session: four addresses, two legs, and what has happened."""

    proxy: str
    session: int
    open: bool
    age: Annotated[float | None, Meta(description="Seconds since it opened; null once it has closed.")]
    client: HostPort
    listen: HostPort
    local: HostPort
    server: HostPort
    legs: Annotated[dict[str, LegShape], Meta(description="By the leg; empty once it has closed.")]
    records: list[RecordShape] | UnsetType = UNSET
    complete: Annotated[
        bool | UnsetType, Meta(description="Whether the records reach back to its opening.")
    ] = UNSET
    ending: Annotated[dict[str, Any] | None, Meta(description="How it ended: fields of session.closed.")] = (
        None
    )


class SessionList(Struct, frozen=True):
    """Live sessions."""

    sessions: list[SessionShape]


class Released(Struct, frozen=True):
    """How many held ends were let go."""

    released: int


class RecordPage(Struct, frozen=True):
    """Records, oldest first. Go on with `after` = `next`."""

    run: str
    records: list[RecordShape]
    next: int
    oldest: int
    missed: Annotated[int, Meta(description="Records after `after` that are not kept any more.")]


class Problem(Struct, frozen=True):
    """Why a request was refused."""

    error: str
    status: int
    expected: str
    found: str
    what_to_do: str
