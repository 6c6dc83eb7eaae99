"""What a scenario is: data that says what is done, what must be seen, and why.

This module must not know how a scenario is played, nor which ones there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.errors import UsageError

SERVER: Final = "server"
CLIENT: Final = "client"
RELAY: Final = "relay"
KINDS: Final = (SERVER, CLIENT, RELAY)
"""Who can be tried."""
WIRE: Final = "wire"
"""What a server's plays with a kept-out FIN need: a technique that holds a bare FIN segment."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a play reads. `tried` are the values that a thorough run goes through."""

    name: str
    default: float
    meaning: str
    tried: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario. `name` is its stable id, in tests, reports and on the command line.

    `client_end` and `server_end` say what must be seen at the outer ends: a ladder in the notation of
    harness.ladders where one can be prescribed, else a sentence, or "-" where nothing is asked of that end.
    """

    name: str
    title: str
    subjects: tuple[str, ...]
    """Whom it applies to: some of KINDS."""
    does: str
    client_end: str
    server_end: str
    explanation: str
    """Why somebody should care, in one paragraph."""
    rests_on: str
    """The section of an RFC, or the kernel's documentation, that says what is right."""
    rules: tuple[str, ...] = ()
    """Rules of the proxy; ``{name}`` stands for a parameter, or for what the play fills in."""
    incidents: tuple[str, ...] = ()
    """Public threads of people who lost hours to it."""
    bound: float = 30.0
    """Seconds that the whole play may take."""
    parameters: tuple[Parameter, ...] = ()
    needs: tuple[str, ...] = ()
    """What it takes to observe it with a server: WIRE."""

    def settled(self, given: Mapping[str, float]) -> dict[str, float]:
        """All parameters: those given, and the defaults of the others.

        Raises:
            UsageError: one is given that the scenario does not have.

        """
        values = {parameter.name: parameter.default for parameter in self.parameters}
        for name in given:
            if name not in values:
                known = ", ".join(values) or "none"
                raise UsageError(f"{self.name}: expected a parameter ({known}), found {name!r}; leave it out")
        return {**values, **given}
