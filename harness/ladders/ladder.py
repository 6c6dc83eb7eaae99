"""The ladder: the rungs that one endpoint is expected to climb down, and its one-line notation.

    ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2? > TIME-WAIT
    ESTABLISHED > CLOSE-WAIT (max 500ms) > LAST-ACK > CLOSED

`>` reads "and then"; `?` marks a rung that may be left out; `(max D)` bounds how long the endpoint may stay
on it. This module must not know which ladders exist (rfc9293.py) nor how they are compared with what
happened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from harness.errors import UsageError
from harness.states import TcpState, parse_state

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_RUNG = re.compile(
    r"\s*(?P<state>[A-Za-z0-9_-]+)\s*(?P<optional>\?)?\s*"
    r"(\(\s*max\s+(?P<number>\d+(\.\d+)?)\s*(?P<unit>us|ms|s|m)\s*\))?\s*$"
)


@dataclass(frozen=True, slots=True)
class Rung:
    """One expected state. `at_most` is the longest stay in seconds, None for no bound."""

    state: TcpState
    required: bool = True
    at_most: float | None = None

    def __str__(self) -> str:
        bound = "" if self.at_most is None else f" (max {format_duration(self.at_most)})"
        return f"{self.state}{'' if self.required else '?'}{bound}"


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rungs of one endpoint from top to bottom.

    `reset` says that the last step is caused by an RST which this endpoint sent or received; it is checked
    where a source reports resets. `name` and `source` (RFC section) are for people.
    """

    rungs: tuple[Rung, ...]
    name: str = ""
    source: str = ""
    reset: Literal["sent", "received"] | None = None

    @classmethod
    def parse(
        cls, text: str, *, name: str = "", source: str = "", reset: Literal["sent", "received"] | None = None
    ) -> Ladder:
        """Read the notation of this module.

        Raises:
            UsageError: with the column of the rung that could not be read.

        """
        rungs, column = [], 1
        for part in text.split(">"):
            rungs.append(_parse_rung(part, column, text))
            column += len(part) + 1
        return cls(tuple(rungs), name, source, reset)

    @property
    def states(self) -> tuple[TcpState, ...]:
        """The states of the rungs, optional ones included."""
        return tuple(rung.state for rung in self.rungs)

    def __str__(self) -> str:
        return " > ".join(map(str, self.rungs))


@dataclass(frozen=True, slots=True)
class LadderPair:
    """The ladders of the two ends of a connection (or of a session: real client and real server)."""

    client: Ladder
    server: Ladder
    name: str = ""

    def __str__(self) -> str:
        return f"client: {self.client}\nserver: {self.server}"


def as_ladder(given: Ladder | str) -> Ladder:
    """Return `given`, read from its notation if it is text."""
    return given if isinstance(given, Ladder) else Ladder.parse(given)


def format_duration(seconds: float) -> str:
    """Write seconds in the unit that gives at least one whole number: 250us, 1.5ms, 2s, 1.5m."""
    for unit, size in reversed(_UNITS.items()):
        if seconds >= size:
            return f"{seconds / size:.3g}{unit}"
    return f"{seconds / 1e-6:.3g}us"


def _parse_rung(part: str, column: int, text: str) -> Rung:
    found = _RUNG.match(part)
    if found is None:
        raise UsageError(
            f"column {column} of {text!r}: expected a rung like FIN-WAIT-2, FIN-WAIT-2? or "
            f"CLOSE-WAIT (max 500ms), found {part.strip()!r}"
        )
    try:
        state = parse_state(found["state"])
    except UsageError as error:
        raise UsageError(f"column {column} of {text!r}: {error}") from None
    bound = float(found["number"]) * _UNITS[found["unit"]] if found["number"] else None
    return Rung(state, found["optional"] is None, bound)
