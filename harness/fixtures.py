"""What the pytest fixtures really do: all that one test has started, and what is told of it when it fails.

Nothing in here knows pytest: the plugin is a thin skin, and a script can use a scene just as well.
"""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import finproxy
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
    ScenarioFailedError,
    ServerSubject,
    Verdict,
    run_scenario,
)
from harness.scripted import Peer, ScriptedServer


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
        report.require(known)
        return report

    def fin_scenario(
        self, *subject: Program | str, known: Mapping[str, str] | None = None, **settings: Any
    ) -> Outcome:
        """Play the scenario of this run with a server (a program) or a client (a command with ``{url}``).

        `settings` are the other fields of `ServerSubject` or `ClientSubject`; `known` maps the scenarios in
        which the subject is known to fail to the reason.

        Raises:
            ScenarioFailedError: it failed, or did not where it was said to.

        """
        self._must_be_here("fin_scenario")
        first = subject[0]
        tried: ServerSubject | ClientSubject
        if isinstance(first, Program):
            tried = ServerSubject(first, **settings)
        else:
            tried = ClientSubject(tuple(map(str, subject)), **settings)
        outcome = run_scenario(self.scenario, tried, self._background())
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

    # --- what is told of it -----------------------------------------------------------------------

    def sections(self) -> Iterable[tuple[str, str]]:
        """Title and text of all that helps to understand a failure."""
        for proxy in self.proxies:
            for session in proxy.sessions:
                yield f"finproxy {proxy.url}: session {session.number}", session.draw()
                yield f"finproxy {proxy.url}: journal of session {session.number}", session.journal()
            if not proxy.sessions:
                yield f"finproxy {proxy.url}: journal", proxy.journal()
        for program in self.programs:
            yield f"program {program}", program.condition()
        yield "finproxy: to repeat", self._how_to_repeat()

    def write_report(self, folder: Path) -> list[Path]:
        """Write what is known as JSON, and each session's diagram as SVG; the files."""
        folder.mkdir(parents=True, exist_ok=True)
        stem = _file_name(self.name)
        written = [folder / f"{stem}.json"]
        written[0].write_text(json.dumps(self._as_dict(), indent=2), encoding="utf-8")
        for index, proxy in enumerate(self.proxies, 1):
            for session in proxy.sessions:
                written.append(folder / f"{stem}-proxy{index}-session{session.number}.svg")
                written[-1].write_text(session.draw_svg(), encoding="utf-8")
        return written

    def _how_to_repeat(self) -> str:
        rules = [f"  {rule}" for proxy in self.proxies for rule in proxy.rules]
        listed = "\n".join(["rules:", *dict.fromkeys(rules)] if rules else ["rules: none"])
        return f"pytest '{self.name}' --finproxy-seed={self.seed}\n{listed}"

    def _as_dict(self) -> dict[str, Any]:
        return {
            "test": self.name,
            "seed": self.seed,
            "finproxy": finproxy.__version__,
            "proxies": [_proxy_as_dict(proxy) for proxy in self.proxies],
            "programs": [_program_as_dict(program) for program in self.programs],
        }


def _program_as_dict(program: Program | RemoteProgram) -> dict[str, Any]:
    if isinstance(program, RemoteProgram):
        return {"command": program.command, "address": list(program.address), "pid": program.pid}
    return {
        "command": program.command,
        "pid": program.pid,
        "code": program.code,
        "output": program.output,
    }


def _proxy_as_dict(proxy: WatchedProxy) -> dict[str, Any]:
    return {
        "address": list(proxy.address),
        "rules": list(proxy.rules),
        "seed": proxy.seed,
        "records": [record.as_dict() for record in proxy.records],
        "ladders": {
            str(session.number): {
                name: [str(step.after) for step in end.transitions] for name, end in session.ends.items()
            }
            for session in proxy.sessions
        },
    }


def _file_name(name: str) -> str:
    """A test's id as a file name: what systems do not like in one is replaced."""
    return "".join(char if char.isalnum() or char in "-._" else "_" for char in name)[-150:]
