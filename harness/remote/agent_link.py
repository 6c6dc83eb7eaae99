"""A watch's link to one agent: follows its events on a thread, and knows when they cannot be followed.

An agent that is gone says nothing about connections: they stay as they were last seen, and the notes say
since when nobody looks. Another agent in its place is recognised by its run; in the same network namespace it
knows what is left of the connections of before, and only then may their absence be believed. This module must
not know HTTP's details (asking.py), nor what is made of the events.
"""

import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.agent.spelling import read_event
from harness.errors import HarnessError
from harness.remote.asking import Asker, EventStream, RefusedError, UnreachableError
from harness.remote.clock import Clock, compare_clocks
from harness.remote.inbox import Inbox
from harness.rows import Endpoint
from harness.sources.whereabouts import whereabouts
from harness.states import TcpState
from harness.transitions import FarEvent, Inferred, Observed, Transition

_RETRY_AFTER = 0.25
# Slow is not gone: a busy machine may let an agent wait for seconds. One that is gone breaks its connections.
_ANSWERS_WITHIN = 10.0
_ELSEWHERE = "it is in another network namespace: what became of connections in the one before is not known"


class AgentLink:
    """Follows the agent at `url` until it is closed. `name` is how notes call it.

    Raises:
        UnreachableError: there is no agent at that address now.
        RefusedError: it wants a token, or another one.

    """

    def __init__(self, name: str, url: str, token: str | None = None) -> None:
        self.name = name
        self._asker = Asker(url, token)
        self._inbox: Inbox[FarEvent] = Inbox()
        self._stream: EventStream | None = None
        self._closing = threading.Event()
        self._identity: Mapping[str, Any] = {}
        self._clock = Clock()
        self._last = 0
        self._open: dict[Endpoint, TcpState] = {}
        self._gone: tuple[float, str] | None = None
        self._remarks: list[str] = []
        try:
            self._arrive()
        except HarnessError:
            self._inbox.close()
            raise
        self._thread = threading.Thread(target=self._run, name=f"agent {name}", daemon=True)
        self._thread.start()

    @property
    def notes(self) -> Sequence[str]:
        """What limits what this agent sees; that it is gone, or was for a while."""
        notes = [f"{self}: {note}" for note in self._identity.get("notes", ())]
        notes += [f"{self}: {remark}" for remark in self._remarks]
        if gone := self._gone:
            ago = time.monotonic() - gone[0]
            notes.append(f"{self} has been gone for {ago:.1f} s, states are as it last saw them: {gone[1]}")
        return notes

    def __str__(self) -> str:
        return f"agent {self.name} at {self._asker.url}"

    def fileno(self) -> int:
        """Return what becomes readable with news."""
        return self._inbox.fileno()

    def read(self) -> list[FarEvent]:
        """Return the news since the last call."""
        return self._inbox.take()

    def look(self) -> None:
        """Have the agent look, and wait until what that showed has come. Gives up if it is gone."""
        if self._gone or self._closing.is_set():
            return
        try:
            seen = self._asker.ask("POST", "/v1/look", within=_ANSWERS_WITHIN)
        except (UnreachableError, RefusedError) as error:
            self._lose(error)
            return
        self._inbox.wait_for(lambda: self._has(seen) or self._gone is not None, _ANSWERS_WITHIN)

    def close(self) -> None:
        """Stop following."""
        if self._closing.is_set():
            return
        self._closing.set()
        if stream := self._stream:
            stream.hang_up()
        self._thread.join()
        self._inbox.close()

    # --- on the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                if self._gone:
                    self._arrive()
                self._follow()
            except (UnreachableError, RefusedError) as error:
                self._lose(error)
            self._closing.wait(_RETRY_AFTER)

    def _arrive(self) -> None:
        """Take in all that the agent knows. It may be another one than before, in the same place or not."""
        told = self._asker.get("/v1/endpoints")
        lost_at = self._gone[0] if self._gone else time.monotonic()
        self._gone = None
        before, self._identity = self._identity, told["agent"]
        is_same_host = self._identity["host"] == whereabouts().host != ""
        self._clock = compare_clocks(self._read_clock, is_same_host=is_same_host)
        if self._identity["run"] != before.get("run"):
            self._last = 0
        events = [(int(each["id"]), read_event(each, self._clock.shift)) for each in told["events"]]
        if before and self._identity["run"] != before["run"]:
            self._succeed(before, [event for _, event in events], lost_at)
            events = [each for each in events if not self._is_guess(each[1])]
        self._remark(self._about_clock(is_same_host=is_same_host))
        self._take_in([event for number, event in events if number > self._last], int(told["last"]))

    def _follow(self) -> None:
        after = f"{self._identity['run']}-{self._last}"
        with self._asker.stream(f"/v1/events/stream?after={after}") as stream:
            self._stream = stream
            for told in stream:
                if self._closing.is_set():
                    return
                if told.kind == "records.missed":
                    raise UnreachableError(f"{self} has told more than could be followed; beginning anew")
                self._take_in([read_event(told.data, self._clock.shift)], int(told.data["id"]))
        raise UnreachableError("it has ended the stream of its events")

    def _succeed(self, before: Mapping[str, Any], events: Iterable[FarEvent], lost_at: float) -> None:
        """Settle what became of connections between one agent and the next."""
        unseen = f"was started anew; nobody looked for {time.monotonic() - lost_at:.1f} s"
        if any(before[key] != self._identity[key] for key in ("host", "namespace")):
            self._remark(f"{unseen}; {_ELSEWHERE}")
            self._open.clear()
            return
        self._remark(unseen)
        known = {event.endpoint for event in events}
        vanished = {endpoint: state for endpoint, state in self._open.items() if endpoint not in known}
        self._take_in([self._closed(*each, lost_at) for each in vanished.items()], 0)

    def _is_guess(self, event: FarEvent) -> bool:
        """Whether a new agent only infers what must have been before its first look: we know better."""
        if not isinstance(event, Transition) or event.endpoint not in self._open:
            return False
        return isinstance(event.evidence, Inferred) and event.earliest == -math.inf

    def _closed(self, endpoint: Endpoint, state: TcpState, since: float) -> Transition:
        seen_by = Observed(str(self._identity["source"]))
        return Transition(endpoint, state, TcpState.CLOSED, time.monotonic(), since, seen_by)

    def _take_in(self, events: Sequence[FarEvent], last: int) -> None:
        for event in events:
            if isinstance(event, Transition):
                self._open[event.endpoint] = event.after
                if event.after is TcpState.CLOSED:
                    del self._open[event.endpoint]
        with self._inbox.telling(events):
            self._last = max(self._last, last)

    def _lose(self, error: HarnessError) -> None:
        if self._closing.is_set():
            return
        with self._inbox.telling():
            self._gone = self._gone or (time.monotonic(), str(error))
        if stream := self._stream:
            stream.hang_up()

    # --- in here ----------------------------------------------------------------------------------

    def _has(self, seen: Mapping[str, Any]) -> bool:
        return self._identity["run"] == seen["run"] and self._last >= int(seen["last"])

    def _read_clock(self) -> float:
        return float(self._asker.get("/v1/agent")["clock"]["monotonic"])

    def _about_clock(self, *, is_same_host: bool) -> str:
        if is_same_host and self._clock == Clock():
            return ""
        why = "has a clock of its own (a time namespace)" if is_same_host else "runs on another host"
        return f"{why}; its times were aligned by round trips, to within {self._clock.error * 1e3:.1f} ms"

    def _remark(self, text: str) -> None:
        if text and text not in self._remarks:
            self._remarks.append(text)
