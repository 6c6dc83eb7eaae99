"""What the pytest fixtures really do: all that one test has started, and that ends with it.

Nothing in here knows pytest: the plugin is a thin skin, and a script can use a scene just as well. What is
told of a scene when its test fails is in scene_report.py.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from harness.background import Background
from harness.contract import ContractReport, judge_shutdown
from harness.driving import Upstream
from harness.errors import HarnessError, UsageError
from harness.program import Program
from harness.proxied import BackgroundProxy, WatchedProxy
from harness.remote.elsewhere import Elsewhere
from harness.remote.program import RemoteProgram
from harness.scenarios import (
    ClientSubject,
    Outcome,
    RelaySubject,
    ScenarioFailedError,
    ServerSubject,
    Subject,
    Verdict,
    run_scenario,
)
from harness.scripted import Peer, ScriptedServer
from harness.starting import split_command


class Scene:
    """The programs and proxies of one test. `name` and `seed` decide about all chance in it."""

    def __init__(
        self,
        background: Callable[[], Background],
        name: str,
        seed: int,
        *,
        rules: Sequence[str] = (),
        scenario: str = "",
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._elsewhere = elsewhere or Elsewhere()
        self.name = name
        self.seed = seed
        self.rules = tuple(rules)
        """The rules of those proxies that are given none of their own."""
        self.scenario = scenario
        """The scenario of this run."""
        self.programs: list[Program | RemoteProgram] = []
        self.proxies: list[WatchedProxy] = []
        self.servers: list[ScriptedServer] = []
        self.contracts: list[ContractReport] = []
        self.outcomes: list[Outcome] = []
        self._background = background
        self._chance = random.Random(f"{seed}/{name}")

    def launch(self, *command: str, within: float = 30.0, **settings: Any) -> Program | RemoteProgram:
        """Start a program under test: see `Program` for what can be set. Elsewhere, find what runs for it."""
        program: Program | RemoteProgram
        if self._elsewhere.url:
            program = self._elsewhere.program(command, within)
        else:
            program = Program(*command, within=within, **settings)
        self.programs.append(program)
        return program

    def fin_proxy(self, upstream: Upstream, *rules: str, **settings: Any) -> WatchedProxy:
        """Put a proxy in front of a program, a port or an address: see `finproxy.open_proxy` for settings."""
        settings = {"seed": self._chance.randrange(2**32), **settings}
        proxy = self._open_proxy(upstream, rules or self.rules, settings)
        self.proxies.append(proxy)
        return proxy

    def _open_proxy(
        self, upstream: Upstream, rules: Sequence[str], settings: Mapping[str, Any]
    ) -> WatchedProxy:
        there = self._elsewhere
        if there.url:
            return there.proxy(there.url, upstream, rules, settings)
        return BackgroundProxy(
            self._background(), upstream, *rules, agents=there.agents, token=there.token, **settings
        )

    def scripted_server(self, script: Callable[[Peer], object]) -> ScriptedServer:
        """Start a server each of whose connections does what `script` says, for clients to be tried."""
        server = ScriptedServer(script)
        self.servers.append(server)
        return server

    def shutdown_contract(
        self, program: Program, *, known: Mapping[str, str] | None = None, **terms: Any
    ) -> ContractReport:
        """Judge a server by the whole shutdown contract: see `harness.contract.Terms` for what can be set.

        `known` maps those items that it is known to break to the reason.

        Raises:
            ContractBrokenError: it breaks another item, or keeps a known one; shows all verdicts.

        """
        self._must_be_here("shutdown_contract")
        report = judge_shutdown(program, **terms)
        self.contracts.append(report)
        report.require(known)
        return report

    def fin_scenario(
        self,
        *subject: Program | str,
        known: Mapping[str, str] | None = None,
        parameters: Mapping[str, float] | None = None,
        **settings: Any,
    ) -> Outcome:
        """Play the scenario of this run with a server, a client or a relay.

        A server is a program; a client is a command with ``{url}``, a relay one with ``{port}`` and
        ``{upstream}``. `settings` are the other fields of `ServerSubject`, `ClientSubject` or `RelaySubject`,
        `parameters` those of the scenario; `known` maps the scenarios in which the subject is known to fail
        to the reason.

        Raises:
            ScenarioFailedError: it failed, or did not where it was said to.

        """
        self._must_be_here("fin_scenario")
        tried = _subject_of(subject, settings)
        outcome = run_scenario(self.scenario, tried, self._background(), **(parameters or {}))
        self.outcomes.append(outcome)
        if self.scenario not in (known or {}):
            outcome.require()
        elif outcome.verdict is not Verdict.FAIL:
            raise ScenarioFailedError(f"{self.scenario} was said to fail, and does not: {outcome}")
        return outcome

    def _must_be_here(self, what: str) -> None:
        if self._elsewhere.url:
            raise UsageError(
                f"{what}: expected to start its subject itself, found --finproxy-url; run it without"
            )

    def close(self) -> list[str]:
        """End everything that was started; says what did not end as asked.

        Raises:
            HarnessError: a proxy or a script has failed. Everything has been ended nevertheless.

        """
        failures: list[HarnessError] = []
        closing = [*(proxy.close for proxy in self.proxies), *(server.close for server in self.servers)]
        for close in closing:
            try:
                close()
            except HarnessError as error:
                failures.append(error)
        notes = [note for program in self.programs for note in program.stop()]
        if failures:
            raise failures[0]
        return notes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _subject_of(subject: Sequence[Program | str], settings: Mapping[str, Any]) -> Subject:
    if isinstance(subject[0], Program):
        return ServerSubject(subject[0], **settings)
    command = split_command(tuple(map(str, subject)))
    if any("{upstream}" in part for part in command):
        return RelaySubject.of(*command, **settings)
    return ClientSubject(command, **settings)
