"""What moves a proxy in a test, in this process or elsewhere; and what a proxy can be put in front of.

This module must not know how a proxy is run.
"""

from collections.abc import Sequence
from typing import Protocol

import finproxy


class HasAddress(Protocol):
    """Whatever clients can connect to: a program, a scripted server, another proxy."""

    @property
    def address(self) -> tuple[str, int]: ...  # noqa: D102 - the class says it


Upstream = HasAddress | str | int | tuple[str, int]


def address_of(upstream: Upstream) -> str | tuple[str, int]:
    """Where an upstream is: as text if it was given so, else as host and port."""
    if isinstance(upstream, int):
        return "127.0.0.1", upstream
    if isinstance(upstream, str):
        return upstream
    return upstream if isinstance(upstream, tuple) else upstream.address


class Teller(Protocol):
    """Who is told the records of a proxy, in order, and that there will be no more of them."""

    def __call__(self, record: finproxy.Record) -> None:
        """Take a record."""
        ...

    def end(self, failure: BaseException | None) -> None:
        """Nothing more will come, for this reason."""
        ...


class Driver(Protocol):
    """Opens one proxy, tells its records, and does to its sessions what it is asked to."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that clients connect to."""
        ...

    @property
    def url(self) -> str:
        """The address as text."""
        ...

    @property
    def seed(self) -> int:
        """What its chance is drawn from."""
        ...

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that hold now, in the notation."""
        ...

    def open(self, upstream: str | tuple[str, int], tell: Teller) -> None:
        """Let the proxy listen."""
        ...

    def begin(self) -> None:
        """Tell its records from the first one on, those that were before this call included."""
        ...

    def hold(self, session: int, leg: str) -> None:
        """Hold the end of an endpoint's flow when it comes."""
        ...

    def release(self, session: int, leg: str) -> None:
        """Let go what is held of an endpoint."""
        ...

    def release_all(self) -> int:
        """Let go everything that is held; how many ends that were."""
        ...

    def act(self, session: int, leg: str, action: str) -> None:
        """Do now what a rule with this action would do."""
        ...

    def set_rules(self, rules: Sequence[str]) -> None:
        """Let other rules hold from now on, also in the sessions that are open."""
        ...

    def close(self) -> None:
        """End the proxy and its sessions; raises what it failed of, if it did."""
        ...
