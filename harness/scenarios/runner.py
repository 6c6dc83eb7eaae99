"""Runs scenarios on subjects, and lists them: for pytest, for a command line, for scripts.

This module must not know what any scenario does.
"""

from rich.console import Console
from rich.table import Table

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
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("scenario", "subject", "rules", "what is done", "client's end", "server's end", "incident"):
        table.add_column(title, overflow="fold")
    for each in CATALOGUE:
        if subject in (None, each.subject):
            rules = "\n".join(each.rules) or "-"
            table.add_row(
                each.name, each.subject, rules, each.does, each.client_end, each.server_end, each.incident
            )
    (console or Console()).print(table, markup=False)
    return 0


def _play(scenario: Scenario, subject: ServerSubject | ClientSubject, background: Background) -> str:
    if isinstance(subject, ClientSubject):
        return clients.PLAYS[scenario.name](scenario, subject, background)
    proxy = BackgroundProxy(background, subject.program, *scenario.rules)
    try:
        return servers.PLAYS[scenario.name](scenario, subject, proxy)
    finally:
        proxy.close()
