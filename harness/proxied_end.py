"""An end of a proxied session: checked as soon as it can be judged, because the last ACK takes its time.

A program that has exited may be in FIN-WAIT-1 for another 40 ms until the proxy's kernel acknowledges its
FIN. Tests should not have to know. This module must not know proxies.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.ladders import FindingKind, Ladder, Match
from harness.states import TcpState
from harness.transitions import Transition
from harness.watching.seen_endpoint import SeenEndpoint
from harness.watching.waiting import wait


class ProxiedEnd(SeenEndpoint):
    """A watched endpoint whose checks wait a little for what can still come."""

    _is_told: Callable[[], bool] | None = None

    @classmethod
    def of(cls, end: SeenEndpoint, is_told: Callable[[], bool] | None = None) -> ProxiedEnd:
        """The same endpoint, with patience. `is_told` says whether it is known by what it was ended."""
        patient = cls(end.name, end._history, end._watcher)
        patient._is_told = is_told
        return patient

    def check(self, ladder: Ladder | str, *, strict: bool = False, within: float = 2.0) -> Match:
        """Raise LadderMismatch, which draws expected beside observed, unless the endpoint took `ladder`.

        Rungs that may still come are waited for, `within` seconds at most; what is wrong already fails at
        once.
        """
        wait(self._watcher, lambda: self._judged(ladder, strict=strict), within)
        return super().check(ladder, strict=strict)

    def findings(self, ladder: Ladder | str, *, within: float = 2.0) -> str:
        """What is wrong once nothing can still come, in words; "" if the endpoint took `ladder`."""
        wait(self._watcher, lambda: self._judged(ladder, strict=False), within)
        return "; ".join(str(finding) for finding in self.match(ladder).findings)

    def wait_for(self, state: TcpState | str, *, within: float = 10.0) -> Transition:
        """Return as soon as `state` is reached, or was since the session opened."""
        return super().wait_for(state, within=within)

    def _judged(self, ladder: Ladder | str, *, strict: bool) -> bool | None:
        """True once waiting cannot change the outcome any more."""
        found = self.match(ladder, strict=strict)
        if found.ok and found.unseen and self._is_told is not None and not self._is_told():
            return None  # an RST would tell that there was nothing that could have been missed
        return True if found.ok or not _can_still_come(found) else None


def _can_still_come(found: Match) -> bool:
    if any(finding.kind is not FindingKind.MISSING_RUNG for finding in found.findings):
        return False
    taken = [step for step in found.steps if step.taken is not None]
    return all(step.expected and step.taken and step.expected.state is step.taken.after for step in taken)
