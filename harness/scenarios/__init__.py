"""Termination scenarios: data that names what is done and what must be seen, and a runner for subjects.

    outcome = run_scenario("half-close-request", ServerSubject(program, Http()), background)

catalogue/ holds the data, plays/ what is done with each kind of subject on its stage (server_stage.py,
client_stage.py, relay_stage.py), runner.py puts them together, outcome.py is what comes out.
"""

from harness.scenarios.catalogue import CATALOGUE, GROUPS, find_scenario, scenarios_for
from harness.scenarios.listing import explain_scenario, list_scenarios
from harness.scenarios.outcome import EndSeen, Evidence, Outcome, ScenarioFailedError, SessionSeen
from harness.scenarios.runner import run_scenario
from harness.scenarios.scenario import KINDS, Parameter, Scenario
from harness.scenarios.subjects import ClientSubject, RelaySubject, ServerSubject, Subject
from harness.scenarios.verdicts import Judgement, Verdict, worst

__all__ = [
    "CATALOGUE",
    "GROUPS",
    "KINDS",
    "ClientSubject",
    "EndSeen",
    "Evidence",
    "Judgement",
    "Outcome",
    "Parameter",
    "RelaySubject",
    "Scenario",
    "ScenarioFailedError",
    "ServerSubject",
    "SessionSeen",
    "Subject",
    "Verdict",
    "explain_scenario",
    "find_scenario",
    "list_scenarios",
    "run_scenario",
    "scenarios_for",
    "worst",
]
