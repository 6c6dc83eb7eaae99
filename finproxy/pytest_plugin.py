"""The pytest plugin: fixtures, marks and options for tests of how applications end their connections.

pytest loads this module in every run of every project that has finproxy installed. It therefore imports
pytest and the standard library only, until a test asks for a fixture: trio and psutil would cost half as
much as pytest itself. What the fixtures do is in harness/fixtures.py; this module must not do it.

The package that it needs is called `harness`, and so is a folder in many repositories: if that one was
imported, the plugin says so, instead of failing in odd ways.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

# What comes from the harness is Any in here: not even for its types is it imported at the top.
_SCENE = pytest.StashKey[Any]()
_SEED = pytest.StashKey[int]()
_NOTES = pytest.StashKey[list[str]]()

_FIN = (
    "fin(rule, ...): run the test once for each rule; proxies that are given no rules of their own have it. "
    "Several rules for one run go into a list."
)
_SCENARIO = "fin_scenario(name, ...): run the test once for each of these termination scenarios."
_MARKS = (_FIN, _SCENARIO)

# --- options and marks ----------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("finproxy", "finproxy: how connections end")
    group.addoption(
        "--finproxy-report",
        metavar="DIR",
        type=Path,
        help="keep an SVG diagram and a JSON report of each failed test that used a proxy or a program",
    )
    group.addoption(
        "--finproxy-seed",
        metavar="N",
        type=int,
        help="repeat the chance of an earlier run; a failure says which seed it had",
    )
    # Where the parties run in containers: the same tests, fixtures and checks.
    group.addoption(
        "--finproxy-url",
        metavar="URL",
        help="make proxies in the finproxy whose API is here (http://finproxy:8474), not in this process",
    )
    group.addoption(
        "--finproxy-agent",
        metavar="NAME=URL",
        action="append",
        default=[],
        help="see the connections of another container through its agent; repeatable",
    )
    group.addoption(
        "--finproxy-server",
        metavar="[PROGRAM=]HOST:PORT",
        action="append",
        default=[],
        help="with --finproxy-url: what runs already in the place of a program to launch; repeatable",
    )
    group.addoption(
        "--finproxy-token-file",
        metavar="FILE",
        type=Path,
        help="the token that the API and the agents ask for",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Explain the marks, and settle the seed."""
    for line in _MARKS:
        config.addinivalue_line("markers", line)
    seed = config.getoption("--finproxy-seed")
    config.stash[_SEED] = random.randrange(2**32) if seed is None else seed
    config.stash[_NOTES] = []


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
    from . import FinproxyError, parse_rule

    for rule in rules:
        try:
            parse_rule(rule)
        except FinproxyError as error:
            _refuse(metafunc, "fin", str(error))


def _check_scenarios(metafunc: pytest.Metafunc, names: list[str]) -> None:
    _import_our_harness()
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


# --- fixtures -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _finproxy_background() -> Iterator[Callable[[], Any]]:
    """The thread on which all proxies of this test run live, started when the first of them is wanted."""
    started: list[Any] = []

    def background() -> Any:
        from harness.background import Background

        if not started:
            started.append(Background())
        return started[0]

    yield background
    for thread in started:
        thread.stop()


@pytest.fixture
def _finproxy_rules(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The rules of this run, from the mark."""
    rules: tuple[str, ...] = getattr(request, "param", ())
    return rules


@pytest.fixture
def _finproxy_scenario(request: pytest.FixtureRequest) -> str:
    """The scenario of this run, from the mark."""
    name: str = getattr(request, "param", "")
    return name


@pytest.fixture
def _finproxy_scene(
    request: pytest.FixtureRequest,
    _finproxy_background: Callable[[], Any],
    _finproxy_rules: tuple[str, ...],
    _finproxy_scenario: str,
) -> Iterator[Any]:
    """All that one test has started; ended when the test is over, whatever happened."""
    _import_our_harness()
    from harness.fixtures import Scene

    scene = Scene(
        _finproxy_background,
        request.node.nodeid,
        request.config.stash[_SEED],
        rules=_finproxy_rules,
        scenario=_finproxy_scenario,
        elsewhere=_elsewhere(request.config),
    )
    request.node.stash[_SCENE] = scene
    yield scene
    request.config.stash[_NOTES] += [f"{request.node.nodeid}: {note}" for note in scene.close()]


def _elsewhere(config: pytest.Config) -> Any:
    """Where the parties of the tests run, if not here."""
    from harness.errors import UsageError
    from harness.remote.elsewhere import Elsewhere

    from . import FinproxyError

    names = ("url", "agent", "server", "token_file")
    try:
        return Elsewhere.of(*(config.getoption(f"finproxy_{name}") for name in names))
    except (UsageError, FinproxyError) as error:
        raise pytest.UsageError(str(error)) from error


@pytest.fixture
def launch(_finproxy_scene: Any) -> Any:
    """Start a program under test.

        app = launch("uvicorn", "myapp:app", "--port", "{port}")

    Returns a `harness.program.Program` when it is ready. All its processes are ended with the test.
    """
    return _finproxy_scene.launch


@pytest.fixture
def fin_proxy(_finproxy_scene: Any) -> Any:
    """Put a proxy in front of a program or an address.

        proxy = fin_proxy(app, "client.fin -> hold")

    Returns a `harness.proxied.BackgroundProxy`. What it holds is let go when the test ends.
    """
    return _finproxy_scene.fin_proxy


@pytest.fixture
def shutdown_contract(_finproxy_scene: Any) -> Any:
    """Judge a server by the list of what a good one does when it is asked to end, and fail if it breaks it.

        shutdown_contract(launch("gunicorn", "myapp:app", "-b", "127.0.0.1:{port}"), grace=10)

    Returns a `harness.contract.ContractReport`. Items in ``known={"backlog": "why"}`` must fail.
    """
    return _finproxy_scene.shutdown_contract


@pytest.fixture
def scripted_server(_finproxy_scene: Any) -> Any:
    """Start a server that does to each connection what a function says, for clients to be tested.

        server = scripted_server(lambda peer: peer.reset())

    Returns a `harness.scripted.ScriptedServer`; put a proxy in front of it like in front of a program.
    """
    return _finproxy_scene.scripted_server


@pytest.fixture
def fin_scenario(_finproxy_scene: Any) -> Any:
    """Play the scenario that the mark names with a server, a client or a relay, and fail if that does.

        @pytest.mark.fin_scenario("half-close-request", "time-wait-side")
        def test_scenarios(launch, fin_scenario):
            fin_scenario(launch("uvicorn", "myapp:app", "--port", "{port}"))

    A client is a command, ``fin_scenario("curl", "-sS", "{urls}")``, and so is a relay:
    ``fin_scenario("socat", "TCP-LISTEN:{port},fork,reuseaddr", "TCP:127.0.0.1:{upstream}")``.
    """
    if not _finproxy_scene.scenario:
        raise pytest.UsageError('expected @pytest.mark.fin_scenario("name", ...) on a test, found none')
    return _finproxy_scene.fin_scenario


def _import_our_harness() -> None:
    """Import the package `harness` that comes with finproxy, or say which other one was found."""
    import harness

    found = getattr(harness, "__file__", None) or next(iter(getattr(harness, "__path__", [])), "?")
    ours = Path(__file__).parent.parent / "harness"
    if ours not in (Path(found), Path(found).parent):
        raise pytest.UsageError(
            f"expected the package 'harness' that comes with finproxy ({ours}), found another one "
            f"({found}); rename that folder, or keep it off sys.path (--import-mode=importlib, and run "
            "'pytest' instead of 'python -m pytest')"
        )


# --- failures -------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what was seen of connections and programs."""
    if call.excinfo is not None:
        _hide_our_frames(call.excinfo)
    report = yield
    if report.failed and (scene := item.stash.get(_SCENE, None)) is not None:
        del item.stash[_SCENE]  # a test that fails and whose teardown fails as well shows it once
        _show(report, scene, item.config.getoption("--finproxy-report"))
    return report


def _hide_our_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Let a check that fails be shown at the test's own line: its message says everything else."""
    ours = tuple(f"{Path(__file__).parents[1] / name}{os.sep}" for name in ("finproxy", "harness"))
    for entry in excinfo.traceback:
        if str(entry.path).startswith(ours):
            # Where pytest looks whether to leave a frame out, unless it is run with --full-trace.
            entry.frame.f_globals["__tracebackhide__"] = _was_raised_on_purpose


def _was_raised_on_purpose(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Whether it is a check or misuse; a defect is shown where it is."""
    errors = sys.modules.get("harness.errors")
    return errors is not None and isinstance(excinfo.value, errors.HarnessError)


def _show(report: pytest.TestReport, scene: Any, folder: Path | None) -> None:
    from harness.scene_report import sections, write_report

    report.sections += sections(scene)
    if folder is not None:
        try:
            told = "\n".join(map(str, write_report(scene, folder, report.longreprtext)))
        except OSError as error:  # a full disk must not end the whole run
            told = f"expected to write into {folder}, found {error}; choose another --finproxy-report"
        report.sections.append(("finproxy: report", told))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say which programs had to be killed."""
    if notes := config.stash[_NOTES]:
        terminalreporter.section("finproxy")
        for note in notes:
            terminalreporter.line(note)
