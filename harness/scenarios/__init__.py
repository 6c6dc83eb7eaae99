"""Termination scenarios: data that names what is done and what must be seen, and a runner for subjects.

    outcome = run_scenario("half-close-request", ServerSubject(program, Http()), background)

catalogue.py holds the data, servers.py and clients.py play the other side, runner.py puts them together.
"""

from harness.scenarios.catalogue import CATALOGUE, Scenario, find_scenario
from harness.scenarios.runner import list_scenarios, run_scenario
from harness.scenarios.subjects import ClientSubject, Outcome, ScenarioFailedError, ServerSubject

__all__ = [
    "CATALOGUE",
    "ClientSubject",
    "Outcome",
    "Scenario",
    "ScenarioFailedError",
    "ServerSubject",
    "find_scenario",
    "list_scenarios",
    "run_scenario",
]
