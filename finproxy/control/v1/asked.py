"""What a request to /v1 may contain: the types from which it is checked and the schema is made.

Seconds are floats, addresses are text. This module must not know what is done with it.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

Name: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^[^/\x00-\x1f]*[^/.\x00-\x1f][^/\x00-\x1f]*$",
        description="A name that can be part of a path: without a slash, and more than dots.",
    ),
]
LegName: TypeAlias = Literal["client", "server"]
RuleText: TypeAlias = Annotated[
    str,
    Meta(
        description="A rule in the notation, such as `client.fin -> delay 2s`.",
        examples=["client.fin -> hold"],
    ),
]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=1_000_000, description="Seconds.")]
Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**62)]


class Given(Struct, forbid_unknown_fields=True, frozen=True):
    """What a request may contain: a key that is not known is an error, not a wish that is passed over."""


# --- in paths and queries ----------------------------------------------------------------------------


class NoParameters(Given, frozen=True):
    """Nothing."""


class ProxyPath(Given, frozen=True):
    """A proxy by its name."""

    proxy: str


class SessionPath(Given, frozen=True):
    """A session by its proxy and its number."""

    proxy: str
    session: Count


class WhichRule(Given, frozen=True):
    """A rule to be removed."""

    rule: RuleText


class Filter(Given, frozen=True):
    """Which records are wanted."""

    proxy: str | None = None
    session: Count | None = None
    event: Annotated[
        str | None, Meta(description="An event, or with a dot at its end all that begin so.")
    ] = None
    after: Annotated[str | None, Meta(description="The id of the last one that was seen.")] = None


class PageFilter(Filter, frozen=True):
    """Which page of records is wanted."""

    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000


# --- in bodies ---------------------------------------------------------------------------------------


class ToxicInput(Given, frozen=True):
    """A toxic: a fault in the bytes of one direction, as in Toxiproxy."""

    type: str
    name: Annotated[str, Meta(max_length=200)] = ""
    stream: str = "downstream"
    toxicity: Annotated[float, Meta(ge=-1e9, le=1e9)] = 1.0
    attributes: dict[str, Int64 | str] = {}


class NewProxy(Given, frozen=True):
    """A proxy to be created."""

    name: Name
    upstream: Annotated[str, Meta(description="Where it leads to: HOST:PORT, [IPv6]:PORT or PORT.")]
    listen: Annotated[str, Meta(description="Where it listens; port 0 picks one.")] = "127.0.0.1:0"
    enabled: bool = True
    rules: list[RuleText] = []
    toxics: list[ToxicInput] = []
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    max_sessions: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    connect_timeout: Seconds | None = None
    grace: Seconds | None = None
    delivery_limit: Seconds | None = None
    wire: str | None = None


class ProxyChange(Given, frozen=True):
    """What is to become different of a proxy; what is not named stays."""

    listen: str | UnsetType = UNSET
    upstream: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    rules: list[RuleText] | UnsetType = UNSET
    toxics: list[ToxicInput] | UnsetType = UNSET


class RuleList(Given, frozen=True):
    """All rules of a proxy; the first that matches wins."""

    rules: list[RuleText]


class NewRule(Given, frozen=True):
    """A rule to be added."""

    rule: RuleText
    first: Annotated[bool, Meta(description="Before the others, or behind them.")] = False


class ToxicInputs(Given, frozen=True):
    """All toxics of a proxy."""

    toxics: list[ToxicInput]


class WhichLeg(Given, frozen=True):
    """The endpoint whose end is meant."""

    leg: LegName


class Act(Given, frozen=True):
    """An action to be carried out now."""

    leg: LegName
    action: Annotated[str, Meta(description="In the notation, such as `fin`, `reset` or `delay 2s`.")]


class Kill(Given, frozen=True):
    """How a session is to end."""

    how: Literal["full-close", "reset"] = "full-close"
