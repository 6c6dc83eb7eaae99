"""The pytest plugin: fixtures, marks and options for tests of how applications end their connections.

pytest loads this package in every run of every project that has finproxy installed. All of it imports pytest
and the standard library only, therefore, until a test asks for a fixture: trio and psutil would cost half as
much as pytest itself. What the fixtures do is in harness/fixtures.py; the plugin must not do it.

options.py has the options and what belongs to a whole run, marks.py runs a test once for each rule or
scenario, fixtures.py hands out the parts of a scene, failures.py shows what was seen with a test that failed.
This module only names to pytest what it is to find.
"""

from .failures import pytest_runtest_makereport, pytest_terminal_summary
from .fixtures import (
    _finproxy_background,
    _finproxy_rules,
    _finproxy_scenario,
    _finproxy_scene,
    fin_proxy,
    fin_scenario,
    launch,
    scripted_server,
    shutdown_contract,
)
from .marks import pytest_generate_tests
from .options import pytest_addoption, pytest_configure

__all__ = [
    "_finproxy_background",
    "_finproxy_rules",
    "_finproxy_scenario",
    "_finproxy_scene",
    "fin_proxy",
    "fin_scenario",
    "launch",
    "pytest_addoption",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
    "scripted_server",
    "shutdown_contract",
]
