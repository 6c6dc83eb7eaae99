"""The fixtures: each hands out a part of the scene of its test, which ends with it.

What comes from the harness is Any in here: not even for its types is it imported at the top. This module must
not know what the parts do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .options import NOTES, SEED
from .ours import import_our_harness

SCENE = pytest.StashKey[Any]()


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
    import_our_harness()
    from harness.fixtures import Scene

    scene = Scene(
        _finproxy_background,
        request.node.nodeid,
        request.config.stash[SEED],
        rules=_finproxy_rules,
        scenario=_finproxy_scenario,
        elsewhere=_elsewhere(request.config),
    )
    request.node.stash[SCENE] = scene
    yield scene
    request.config.stash[NOTES] += [f"{request.node.nodeid}: {note}" for note in scene.close()]


def _elsewhere(config: pytest.Config) -> Any:
    """Where the parties of the tests run, if not here."""
    from finproxy import FinproxyError
    from harness.errors import UsageError
    from harness.remote.elsewhere import Elsewhere

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
