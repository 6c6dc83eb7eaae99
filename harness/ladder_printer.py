"""After each session of a running proxy: the ladder diagram of both ends (`finproxy run --ladders`).

An observer of the proxy's records that does no more than put them into a queue; watching, waiting and
drawing happen on a thread of their own, so that no session waits for them. This module must not know
sessions or sockets, only records.
"""

import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console

from harness.drawing.diagram import session_diagram, session_endpoints
from harness.drawing.text import draw_text
from harness.errors import HarnessError
from harness.states import TcpState
from harness.watching.seen import Seen
from harness.watching.seen_endpoint import SeenEndpoint
from harness.watching.watch import watch

_RESTS = {TcpState.CLOSED, TcpState.TIME_WAIT}
# An end may close some time after the proxy is done with it; how it ended by then is drawn as it is.
_LAST_STATES_WITHIN = 0.5
_LOOK_AGAIN = 0.02
# A crowd cannot be read as drawings, and drawing it would take time from relaying it.
_SESSIONS_AT_ONCE = 50
_NAMES = ("client", "client leg", "server leg", "server")

_DRAWN = ("session.opened", "fin.", "reset.", "leg.")
_WIDEST = 110

_Session = tuple[str | None, int | None]


class _Record(Protocol):
    """What is used of a record of finproxy."""

    event: str
    t: float
    proxy: str | None
    session: int | None

    def as_dict(self) -> dict[str, Any]: ...


@dataclass(slots=True)
class _Followed:
    """One session: its records so far, what is seen of its four endpoints, and when it has to be drawn."""

    opened_at: float
    ends: Mapping[str, SeenEndpoint]
    records: list[Mapping[str, Any]] = field(default_factory=list)
    draw_by: float | None = None

    def is_at_rest(self, now: float) -> bool:
        """Whether the session is over and its ends have come to theirs, or have taken too long."""
        if self.draw_by is None:
            return False
        return now >= self.draw_by or all(self.ends[name].state in _RESTS for name in ("client", "server"))


class LadderPrinter:
    """Used as a context: watches as long as the block lasts, and draws each session that ends in it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._news: queue.SimpleQueue[tuple[_Record, float] | None] = queue.SimpleQueue()
        self._followed: dict[_Session, _Followed] = {}
        self._watch = watch()
        self._thread = threading.Thread(target=self._run, name="ladder printer", daemon=True)
        self._seen: Seen | None = None
        self._has_failed = False
        self._not_drawn = 0
        # Events are told of followed ports only: the last session drawn stays, and with it its proxy's ports.
        self._last_drawn: dict[str | None, Mapping[str, SeenEndpoint]] = {}

    def __call__(self, record: _Record) -> None:
        """Take a record: nothing more happens on the thread of the sessions."""
        if record.session is not None and not self._has_failed:
            self._news.put((record, time.monotonic()))

    def __enter__(self) -> Self:
        """Start to watch. Raises SourceUnavailableError if no source works here."""
        self._seen = self._watch.__enter__()
        for note in self._seen.notes:
            self._say(f"note: {note}")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Draw what is left, and stop."""
        self._news.put(None)
        self._thread.join()
        self._watch.__exit__(kind, error, trace)

    def _run(self) -> None:
        try:
            while self._take(_LOOK_AGAIN if self._waits_for_rest() else None):
                self._draw_what_rests()
            while self._waits_for_rest():
                if self._seen is not None:
                    self._seen.wait_for_news(_LOOK_AGAIN)
                self._draw_what_rests()
            if self._not_drawn:
                self._say(f"{self._not_drawn} sessions were not drawn: more than {_SESSIONS_AT_ONCE} at once")
        except HarnessError as error:
            self._has_failed = True
            self._say(f"no more ladders: {error}")

    def _waits_for_rest(self) -> bool:
        """Whether a session is over that is not drawn yet."""
        return any(one.draw_by is not None for one in self._followed.values())

    def _take(self, timeout: float | None) -> bool:
        """Take in one piece of news; False once there will be no more."""
        try:
            news = self._news.get(timeout=timeout)
        except queue.Empty:
            return True
        if news is None:
            return False
        record, at = news
        followed = self._follow(record, at)
        if followed is not None:
            followed.records.append(record.as_dict())
            if record.event == "session.closed":
                followed.draw_by = at + _LAST_STATES_WITHIN
        return True

    def _follow(self, record: _Record, at: float) -> _Followed | None:
        key = record.proxy, record.session
        if record.event == "session.opened" and self._seen is not None:
            if len(self._followed) >= _SESSIONS_AT_ONCE:
                self._not_drawn += 1
                return None
            endpoints = session_endpoints(record.as_dict())
            ends = self._seen.add(*endpoints.values(), names=_NAMES)
            self._followed[key] = _Followed(at - record.t, dict(zip(endpoints, ends, strict=True)))
        return self._followed.get(key)

    def _draw_what_rests(self) -> None:
        now = time.monotonic()
        for key, followed in tuple(self._followed.items()):
            if followed.is_at_rest(now):
                del self._followed[key]
                self._draw(followed)
                self._forget_all_but(followed, key[0])

    def _draw(self, followed: _Followed) -> None:
        ends = followed.ends
        diagram = session_diagram(
            [record for record in followed.records if record["event"].startswith(_DRAWN)],
            ends["client"],
            ends["server"],
            client_leg=ends["client leg"],
            server_leg=ends["server leg"],
            opened_at=followed.opened_at,
        )
        drawn = draw_text(
            diagram,
            width=min(self._console.width, _WIDEST),
            ascii_only=self._console.options.ascii_only,
        )
        self._say(f"{drawn}\n")

    def _forget_all_but(self, followed: _Followed, proxy: str | None) -> None:
        before, self._last_drawn[proxy] = self._last_drawn.get(proxy, {}), followed.ends
        if self._seen is not None:
            self._seen.forget(*before.values())

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
