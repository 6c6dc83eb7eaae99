"""The catalogue for people: the list, and all that is known about one scenario.

This module must not know how a scenario is played.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from harness.scenarios.catalogue import find_scenario, scenarios_for
from harness.scenarios.scenario import Scenario

if TYPE_CHECKING:  # takes longer to import than all scenarios together, and tests list none of them
    from rich.console import Console


def list_scenarios(*, subject: str | None = None, console: Console | None = None) -> int:
    """Print the catalogue, or the part that tries a server, a client or a relay; returns an exit code.

    Raises:
        UsageError: another kind of subject.

    """
    out = console or _console()
    for scenario in scenarios_for(subject):
        title = f"{scenario.name}  ({', '.join(scenario.subjects)})  {scenario.title}"
        _print(out, title, _short(scenario))
    return 0


def explain_scenario(name: str, *, console: Console | None = None) -> int:
    """Print all that is known about one scenario; returns an exit code.

    Raises:
        UsageError: there is none of this name.

    """
    scenario = find_scenario(name)
    out = console or _console()
    _print(
        out, f"{scenario.name}: {scenario.title}", [scenario.explanation, *_short(scenario), *_more(scenario)]
    )
    return 0


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _print(out: Console, title: str, lines: Iterable[str]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    out.print(title, style="bold", markup=False, soft_wrap=True)
    for line in lines:
        out.print(Padding(Text(line), (0, 0, 0, 4)))


def _short(scenario: Scenario) -> Iterator[str]:
    yield f"does: {scenario.does}"
    told = {"rules": "; ".join(scenario.rules), "client": scenario.client_end, "server": scenario.server_end}
    yield from (f"{name}: {what}" for name, what in told.items() if what not in ("", "-"))


def _more(scenario: Scenario) -> Iterator[str]:
    yield f"tries: {', '.join(scenario.subjects)}"
    yield f"rests on: {scenario.rests_on}"
    if scenario.incidents:
        yield f"incidents: {', '.join(scenario.incidents)}"
    for each in scenario.parameters:
        tried = f"; worth trying: {', '.join(f'{value:g}' for value in each.tried)}" if each.tried else ""
        yield f"parameter {each.name} = {each.default:g}: {each.meaning}{tried}"
    if scenario.needs:
        yield f"needs: {', '.join(scenario.needs)}"
    yield f"takes at most {scenario.bound:g} s"
