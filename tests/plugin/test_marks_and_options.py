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


@pytest.mark.parametrize("arguments", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "xdist"])
def test_reports_are_kept(runs: Runs, pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    done = runs(FAILS, "--finproxy-report", "reports", *arguments)
    done.assert_outcomes(failed=1)
    names = {path.suffix: path for path in (pytester.path / "reports").iterdir()}
    assert set(names) == {".json", ".svg"}
    report = json.loads(names[".json"].read_text())
    assert report["proxies"][0]["rules"] == ["client.fin -> hold"]
    assert report["proxies"][0]["ladders"]["1"]["server"][-1] == "ESTABLISHED"
    assert report["programs"][0]["output"] == "listening\n"
    assert " LISTEN, python" in report["programs"][0]["sockets"][0]
    assert report["knobs"]["net.ipv4.tcp_fin_timeout"].isdigit()
    assert "missing rung: expected CLOSE-WAIT" in report["failure"]
    assert names[".svg"].read_text().startswith("<svg")


def test_reports_that_cannot_be_kept_do_not_end_the_run(runs: Runs, pytester: pytest.Pytester) -> None:
    (pytester.path / "reports").touch()
    done = runs(FAILS, "--finproxy-report", "reports")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*expected to write into reports, found*choose another --finproxy-report"])


def test_a_report_holds_scenarios_and_contracts(runs: Runs, pytester: pytest.Pytester) -> None:
    done = runs(
        """
@pytest.mark.fin_scenario("half-close-swallowed")
def test_scenario(echo, fin_scenario):
    from harness.contract import RawBytes
    fin_scenario(echo, protocol=RawBytes(b"1", b"2"), patience=0.5)

def test_contract(echo, shutdown_contract):
    from harness.contract import RawBytes
    shutdown_contract(echo, grace=3, protocol=RawBytes(b"1", b"1"))
""",
        "--finproxy-report",
        "reports",
    )
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(
        [
            "*half-close-swallowed: journal of session 1*",
            '*"event": "session.opened"*',
            "*finproxy: to repeat*",
            "*client.fin -> hold*",
        ]
    )
    kept = {path.name: path.read_text() for path in (pytester.path / "reports").iterdir()}
    [drawing] = [text for name, text in kept.items() if name.endswith(".svg")]
    assert drawing.startswith("<svg")
    [contract, scenario] = [json.loads(kept[name]) for name in sorted(kept) if name.endswith(".json")]
    assert contract["contracts"][0]["verdicts"]["backlog"]["outcome"] == "fail"
    assert scenario["scenarios"][0]["verdict"] == "fail"
    assert scenario["scenarios"][0]["evidence"]["sessions"][0]["records"][0]["event"] == "session.opened"


def test_a_check_that_fails_is_shown_at_the_line_of_the_test(runs: Runs) -> None:
    done = runs(FAILS)
    done.stdout.fnmatch_lines(
        [">*proxy.session.server.check(*within=0)", "E *missing rung*", "test_it.py:*: LadderMismatch"]
    )
    done.stdout.no_fnmatch_line("*harness/watching*")
    whole = runs(FAILS, "--full-trace")
    whole.stdout.fnmatch_lines(["*harness/watching/*: LadderMismatch"])


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
        alone=True,
    )
    done.assert_outcomes(passed=1)


SCENARIO_SERVER = """
SERVER = '''
import socket, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))

def serve(sock):
    with sock, sock.makefile("rb") as lines:
        for line in lines:
            sock.sendall(line)

while True:
    threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
'''
"""


def test_a_test_runs_once_for_each_scenario(runs: Runs) -> None:
    done = runs(
        SCENARIO_SERVER
        + """
@pytest.mark.fin_scenario("half-close-request", "clean-client-close", "time-wait-side")
def test_server(launch, fin_scenario):
    from harness.contract import RawBytes
    server = launch(sys.executable, "-c", SERVER, "{port}")
    outcome = fin_scenario(server, protocol=RawBytes(b"1\\n", b"1\\n"))
    assert outcome.verdict == ("not applicable" if outcome.scenario == "time-wait-side" else "pass")

@pytest.mark.fin_scenario("fin-mid-body")
def test_client_that_fails(fin_scenario):
    fin_scenario(sys.executable, "-c", "print()", "{url}")

@pytest.mark.fin_scenario("fin-mid-body")
def test_client_that_is_known_to_fail(fin_scenario):
    fin_scenario(sys.executable, "-c", "print()", "{url}", known={"fin-mid-body": "it does not even ask"})

@pytest.mark.fin_scenario("fin-mid-body")
def test_client_that_was_said_to_fail(fin_scenario):
    fin_scenario(sys.executable, "-c", "raise SystemExit(1)", known={"fin-mid-body": ""})

def test_without_a_mark(fin_scenario):
    pass
"""
    )
    done.assert_outcomes(passed=4, failed=2, errors=1)
    done.stdout.fnmatch_lines(["*fin-mid-body: it reported success without the whole body*"])
    done.stdout.fnmatch_lines(["*fin-mid-body was said to fail, and does not*"])


def test_an_unknown_scenario_is_a_collection_error_that_points_at_it(runs: Runs) -> None:
    done = runs("""
@pytest.mark.fin_scenario("half-closed")
def test_scenario(fin_scenario):
    pass
""")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*@pytest.mark.fin_scenario of test_scenario: expected*'half-closed'*"])


def test_a_client_is_tested_with_a_scripted_server(runs: Runs) -> None:
    done = runs("""
CLIENT = r'''
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
sock.recv(1)
'''

def test_client(scripted_server, fin_proxy, launch):
    def script(peer):
        peer.read_request()
        peer.reset()

    proxy = fin_proxy(scripted_server(script))
    client = launch(sys.executable, "-c", CLIENT, str(proxy.port))
    assert client.exits(within=10).code == 1
    assert "ConnectionResetError" in client.output
    assert proxy.session.closed()["ended"]["server"] == "reset"
""")
    done.assert_outcomes(passed=1)
