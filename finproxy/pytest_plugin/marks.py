"""The marks `fin` and `fin_scenario`: a test runs once for each of their arguments.

What cannot be meant is an error of the collection that points at the mark. This module must not know what a
rule or a scenario does.
"""

from __future__ import annotations

import pytest

from .ours import import_our_harness


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each rule in its mark."""
    given = [entry for mark in metafunc.definition.iter_markers("fin") for entry in mark.args]
    if given:
        groups = [(entry,) if isinstance(entry, str) else tuple(entry) for entry in given]
        _need_fixture(metafunc, "fin", "fin_proxy")
        _check_rules(metafunc, [rule for group in groups for rule in group])
        metafunc.parametrize("_finproxy_rules", groups, ids="; ".join, indirect=True)
    names = [name for mark in metafunc.definition.iter_markers("fin_scenario") for name in mark.args]
    if names:
        _need_fixture(metafunc, "fin_scenario", "fin_scenario")
        _check_scenarios(metafunc, names)
        metafunc.parametrize("_finproxy_scenario", names, indirect=True)


def _need_fixture(metafunc: pytest.Metafunc, mark: str, fixture: str) -> None:
    if fixture not in metafunc.fixturenames:
        _refuse(metafunc, mark, f"expected a test that uses the fixture {fixture}, found one that does not")


def _check_rules(metafunc: pytest.Metafunc, rules: list[str]) -> None:
    from finproxy import FinproxyError, parse_rule

    for rule in rules:
        try:
            parse_rule(rule)
        except FinproxyError as error:
            _refuse(metafunc, "fin", str(error))


def _check_scenarios(metafunc: pytest.Metafunc, names: list[str]) -> None:
    import_our_harness()
    from harness.errors import UsageError
    from harness.scenarios.catalogue import find_scenario

    for name in names:
        try:
            find_scenario(name)
        except UsageError as error:
            _refuse(metafunc, "fin_scenario", str(error))


def _refuse(metafunc: pytest.Metafunc, mark: str, why: str) -> None:
    path, line, _ = metafunc.definition.location
    where = f"{path}:{(line or 0) + 1}: @pytest.mark.{mark} of {metafunc.function.__name__}"
    raise pytest.Collector.CollectError(f"{where}: {why}")
