"""The mark `fin`, the options, and what a failure shows."""

from __future__ import annotations

import json

import pytest

from tests.harness.connections import needs_linux

from .conftest import Runs

pytestmark = needs_linux

FAILS = """
@pytest.mark.fin("client.fin -> hold")
def test_fails(echo, fin_proxy):
    proxy = fin_proxy(echo)
    client = proxy.connect()
    client.shutdown(socket.SHUT_WR)
    proxy.wait_for("fin.held")
    proxy.session.server.check("ESTABLISHED > CLOSE-WAIT", within=0)
"""


def test_a_test_runs_once_for_each_rule(runs: Runs) -> None:
    done = runs(
        """
@pytest.mark.fin("server.fin -> delay 1ms", "server.fin -> drop", ["client.fin -> hold", "any.fin -> relay"])
def test_rules(echo, fin_proxy, request):
    proxy = fin_proxy(echo)
    assert "; ".join(proxy.rules) == request.node.callspec.id
    assert fin_proxy(echo, "client.fin -> drop").rules == ("client.fin -> drop",)
""",
        "-v",
    )
    done.assert_outcomes(passed=3)
    done.stdout.fnmatch_lines(["*test_rules[[]server.fin -> drop[]]*"])


def test_a_bad_rule_is_a_collection_error_that_points_at_it(runs: Runs) -> None:
    done = runs("""
@pytest.mark.fin("server.fin -> drop", "server.fin -> explode")
def test_rules(fin_proxy):
    pass
""")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*test_it.py:*@pytest.mark.fin of test_rules:*column*explode*"])


def test_a_mark_without_the_fixture_is_a_collection_error(runs: Runs) -> None:
    done = runs("""
@pytest.mark.fin("server.fin -> drop")
def test_rules():
    pass
""")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*expected a test that uses the fixture fin_proxy*"])


def test_the_mark_is_known_where_marks_are_strict(runs: Runs) -> None:
    runs(FAILS, "--strict-markers").assert_outcomes(failed=1)


def test_a_failure_shows_diagram_journal_program_seed_and_rule(runs: Runs) -> None:
    done = runs(FAILS, "--finproxy-seed", "7")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            "*missing rung: expected CLOSE-WAIT*",
            "*finproxy 127.0.0.1:*: session 1*",
            "*ESTABLISHED*",
            "*journal of session 1*",
            '*"event": "fin.held"*',
            "*program *",
            "*process *: running; its sockets:*",
            "*listening*",
            "*finproxy: to repeat*",
            "pytest 'test_it.py::test_fails[[]client.fin -> hold[]]' --finproxy-seed=7",
            "*client.fin -> hold*",
        ]
    )


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_reports_are_kept(runs: Runs, pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    done = runs(FAILS, "--finproxy-report", "reports", *arguments)
    done.assert_outcomes(failed=1)
    names = {path.suffix: path for path in (pytester.path / "reports").iterdir()}
    assert set(names) == {".json", ".svg"}
    report = json.loads(names[".json"].read_text())
    assert report["proxies"][0]["rules"] == ["client.fin -> hold"]
    assert report["proxies"][0]["ladders"]["1"]["server"][-1] == "ESTABLISHED"
    assert report["programs"][0]["output"] == "listening\n"
    assert names[".svg"].read_text().startswith("<svg")


def test_nothing_is_kept_of_tests_that_pass(runs: Runs, pytester: pytest.Pytester) -> None:
    runs("def test_fine(echo, fin_proxy): fin_proxy(echo)", "--finproxy-report", "reports")
    assert not (pytester.path / "reports").exists()


def test_the_same_seed_gives_the_same_chance(runs: Runs, pytester: pytest.Pytester) -> None:
    seeds = """
import pathlib
def test_seed(echo, fin_proxy):
    with pathlib.Path("seeds").open("a") as out:
        print(fin_proxy(echo).seed, fin_proxy(echo).seed, file=out)
"""
    for number in ("1", "1", "2"):
        runs(seeds, "--finproxy-seed", number).assert_outcomes(passed=1)
    first, again, other = (pytester.path / "seeds").read_text().splitlines()
    assert first == again != other
    assert len(set(first.split())) == 2


def test_nothing_heavy_is_imported_before_a_fixture_is_used(runs: Runs) -> None:
    done = runs(
        """
def test_light():
    assert not {"trio", "psutil", "harness", "finproxy.server", "typer", "rich"} & set(sys.modules)
""",
        "-p",
        "no:anyio",
        "-p",
        "no:hypothesispytest",
    )
    done.assert_outcomes(passed=1)
