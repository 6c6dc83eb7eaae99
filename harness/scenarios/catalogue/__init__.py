"""The catalogue: every scenario, as data, grouped by what it is about.

This package must not know how a scenario is played.
"""

from harness.errors import UsageError
from harness.scenarios.catalogue.closes import CLOSES
from harness.scenarios.catalogue.half_close import HALF_CLOSE
from harness.scenarios.catalogue.held import HELD
from harness.scenarios.catalogue.leaks import LEAKS
from harness.scenarios.catalogue.resets import RESETS
from harness.scenarios.catalogue.reuse import REUSE
from harness.scenarios.catalogue.sigterm import SIGTERM
from harness.scenarios.scenario import KINDS, Scenario

GROUPS: dict[str, tuple[Scenario, ...]] = {
    "closes": CLOSES,
    "half-close": HALF_CLOSE,
    "resets and truncation": RESETS,
    "kept connections": REUSE,
    "leaks": LEAKS,
    "shutdown": SIGTERM,
    "a FIN kept out": HELD,
}
"""Title of a group to its scenarios, in the order in which reports show them."""

CATALOGUE: tuple[Scenario, ...] = tuple(scenario for group in GROUPS.values() for scenario in group)


def find_scenario(name: str) -> Scenario:
    """Return the scenario of this name.

    Raises:
        UsageError: there is none; lists those that there are.

    """
    for scenario in CATALOGUE:
        if scenario.name == name:
            return scenario
    names = ", ".join(scenario.name for scenario in CATALOGUE)
    raise UsageError(f"expected a scenario ({names}), found {name!r}; write one of these names")


def scenarios_for(kind: str | None) -> tuple[Scenario, ...]:
    """Return the scenarios that try a server, a client or a relay; all for None.

    Raises:
        UsageError: another kind of subject.

    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"expected a subject ({', '.join(KINDS)}), found {kind!r}; write one of these")
    return tuple(scenario for scenario in CATALOGUE if kind is None or kind in scenario.subjects)
