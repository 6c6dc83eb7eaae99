"""Runs scenarios on subjects, and lists them: for pytest, for a command line, for scripts.

This module must not know what any scenario does.
"""

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from harness.background import Background
from harness.errors import UsageError
from harness.proxied import BackgroundProxy
from harness.scenarios import clients, servers
from harness.scenarios.catalogue import CATALOGUE, Scenario, find_scenario
from harness.scenarios.subjects import ClientSubject, Outcome, ServerSubject, Verdict


def run_scenario(name: str, subject: ServerSubject | ClientSubject, background: Background) -> Outcome:
    """Play one scenario with a subject, and judge it.

    Raises:
        UsageError: there is no such scenario.
        CheckFailedError: the subject fails even where nothing unusual is done.

    """
    scenario = find_scenario(name)
    kind = "server" if isinstance(subject, ServerSubject) else "client"
    if scenario.subject != kind:
        return Outcome(name, Verdict.NOT_APPLICABLE, f"it tries a {scenario.subject}, not a {kind}")
    try:
        against = _play(scenario, subject, background)
    except servers.NotApplicableError as why:
        return Outcome(name, Verdict.NOT_APPLICABLE, str(why))
    return Outcome(name, Verdict.FAIL if against else Verdict.PASS, against or scenario.does)


def list_scenarios(*, subject: str | None = None, console: Console | None = None) -> int:
    """Print the catalogue, or the part of it that tries a ``server`` or a ``client``; returns an exit code.

    Raises:
        UsageError: another kind of subject.

    """
    if subject not in (None, "server", "client"):
        raise UsageError(f"expected a subject (server, client), found {subject!r}; write one of these")
    out = console or Console(highlight=False)
    for each in CATALOGUE:
        if subject in (None, each.subject):
            out.print(
                f"{each.name}  ({each.subject}; {each.incident})", style="bold", markup=False, soft_wrap=True
            )
            for line in _lines(each):
                out.print(Padding(Text(line), (0, 0, 0, 4)))
    return 0


def _lines(scenario: Scenario) -> list[str]:
    told = {"rules": "; ".join(scenario.rules), "client": scenario.client_end, "server": scenario.server_end}
    return [scenario.does, *(f"{name}: {what}" for name, what in told.items() if what not in ("", "-"))]


def _play(scenario: Scenario, subject: ServerSubject | ClientSubject, background: Background) -> str:
    if isinstance(subject, ClientSubject):
        return clients.PLAYS[scenario.name](scenario, subject, background)
    proxy = BackgroundProxy(background, subject.program, *scenario.rules)
    try:
        return servers.PLAYS[scenario.name](scenario, subject, proxy)
    finally:
        proxy.close()
