"""What every play works with: time, facts, and whatever it has opened, which is closed when the play is over.

server_stage.py, client_stage.py and relay_stage.py add what a kind of subject needs. This module must not
know any scenario.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from harness.background import Background
from harness.driving import Upstream
from harness.program import Program
from harness.proxied import BackgroundProxy
from harness.proxied_end import ProxiedEnd
from harness.scenarios.outcome import Evidence, SessionSeen
from harness.scenarios.scenario import Scenario
from harness.scenarios.seeing import how_closed, ladder_or_none, resets_told, session_seen
from harness.scenarios.verdicts import Judgement

_DRAWN = 4
"""Sessions that are kept as evidence: more than so many of one play show the same again."""
_LEAST = 0.05
_LAST_MOMENTS = 10.0
"""Seconds in which one that is exiting has exited."""

Closable = TypeVar("Closable")


class Found(NamedTuple):
    """What a play has found: the two judgements."""

    behaviour: Judgement
    close: Judgement


class Stage:
    """One play of one scenario. A context manager; `evidence` must be asked for inside."""

    def __init__(
        self, scenario: Scenario, parameters: Mapping[str, float], background: Background, patience: float
    ) -> None:
        self.scenario = scenario
        self.parameters = parameters
        self.facts: list[str] = []
        """Sentences about what was seen, in order."""
        self.program: Program | None = None
        """The subject, once it runs."""
        self._background = background
        self._patience = patience
        self._ends_at = time.monotonic() + scenario.bound
        self._proxies: list[BackgroundProxy] = []
        self._stack = ExitStack()

    @property
    def patience(self) -> float:
        """Seconds that anything may take now: the subject's patience, or what is left of the bound."""
        return max(_LEAST, min(self._patience, self._ends_at - time.monotonic()))

    def fact(self, sentence: str) -> None:
        """Report something that was seen."""
        self.facts.append(sentence)

    def keep(self, thing: Closable, close: Callable[[], object]) -> Closable:
        """Close something when the play is over; last opened, first closed."""
        self._stack.callback(close)
        return thing

    def open_proxy(self, upstream: Upstream, **filled_in: object) -> BackgroundProxy:
        """A proxy with the scenario's rules, whose ``{places}`` are filled in.

        Raises:
            finproxy.WireError: a rule at wire cannot be served here.

        """
        rules = [rule.format(**{**self.parameters, **filled_in}) for rule in self.scenario.rules]
        proxy = BackgroundProxy(self._background, upstream, *rules)
        self._proxies.append(proxy)
        return self.keep(proxy, proxy.close)

    def evidence(self) -> Evidence:
        """All that was seen so far, while the sockets are still there."""
        sessions = self.sessions_seen()
        output = self.program.last_lines() if self.program else ""
        closed = [session for proxy in self._proxies for session in proxy.sessions]
        return Evidence(
            tuple(self.facts), sessions, output, how_closed(closed[-1].records) if closed else None
        )

    def sessions_seen(self) -> tuple[SessionSeen, ...]:
        """The sessions of all proxies, drawn; the first few, if there were many."""
        every = [(session, proxy) for proxy in self._proxies for session in proxy.sessions]
        if len(every) > _DRAWN:
            self.fact(f"there were {len(every)} sessions, of which the first {_DRAWN} are kept as evidence")
        for session, _ in every[:_DRAWN]:
            self.facts += resets_told(session.ends)
        return tuple(session_seen(session, self.scenario, proxy.rules) for session, proxy in every[:_DRAWN])

    def ladders_of(self, ends: Mapping[str, ProxiedEnd]) -> str:
        """Which outer end did not take the ladder that the scenario prescribes, and how; "" if none."""
        for name, text in (("client", self.scenario.client_end), ("server", self.scenario.server_end)):
            ladder = ladder_or_none(text)
            if ladder and (findings := ends[name].findings(ladder, within=self.patience)):
                return f"the {name}'s end did not take {ladder}: {findings}"
        return ""

    def died(self) -> str:
        """That the subject has exited though nobody asked for it; "" if it has not."""
        return ""

    def _died_unasked(self, program: Program) -> str:
        """What `died` says of one that listens; its connections end a moment before its exit is known."""
        if program.is_ending and program.ended.wait(_LAST_MOMENTS):
            return f"it has exited with code {program.code}, unasked"
        return ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
