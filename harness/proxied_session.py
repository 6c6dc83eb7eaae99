"""One session of a background proxy, as a test sees it: both ends watched, its records, and what to do to it.

This module must not know how the proxy is run.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import finproxy
from harness.drawing.diagram import session_diagram, session_endpoints
from harness.drawing.svg import draw_svg
from harness.drawing.text import draw_text
from harness.driving import Driver
from harness.proxied_end import ProxiedEnd
from harness.story import Story
from harness.transitions import JOURNAL, SegmentEvent
from harness.verdict import CloseVerdict, DataVerdict, Flow, judge_close, judge_data
from harness.watching.seen import Seen

RESETS = frozenset({"reset.received", "reset.sent"})
_FIN_CAME = frozenset({"fin.received", "fin.held", "fin.dropped", "fin.slipped", "fin.overtook"})
"""Of a leg: its endpoint has sent a FIN, whatever became of it."""


class ProxiedSession:
    """One session, live or over. `client` and `server` are the real ends: ``session.server.check("...")``."""

    def __init__(
        self,
        opened: finproxy.Record,
        driver: Driver,
        story: Story,
        seen: Seen,
    ) -> None:
        self.number = opened.session or 0
        self._driver = driver
        self._story = story
        self._seen = seen
        self.ends: Mapping[str, ProxiedEnd]
        """All four watched ends: client, client leg, server leg, server."""
        endpoints = session_endpoints(opened.as_dict())
        watched = seen.add(*endpoints.values(), names=tuple(endpoints))
        self.ends = {end.name: ProxiedEnd.of(end, partial(self._is_told, end.name)) for end in watched}
        if any(end.state is None for end in watched):
            # Here all ends are seen at once. Agents look now and then: what a test ends as soon as it has
            # opened would be over before, and never be seen to have been there.
            seen.ask_agents()

    @property
    def client(self) -> ProxiedEnd:
        """The client's end, as the kernel shows it."""
        return self.ends["client"]

    @property
    def server(self) -> ProxiedEnd:
        """The server's end, as the kernel shows it."""
        return self.ends["server"]

    @property
    def records(self) -> Sequence[finproxy.Record]:
        """What has happened in it, in order."""
        return self._story.find(session=self.number)

    @property
    def ending(self) -> Mapping[str, Any] | None:
        """The fields of its ``session.closed`` record; None while it lives."""
        closed = self._story.find("session.closed", session=self.number)
        return closed[0].fields if closed else None

    def hold(self, leg: str) -> None:
        """Hold the end of this endpoint's flow when it comes, whatever the rules say."""
        self._driver.hold(self.number, leg)

    def release(self, leg: str) -> None:
        """Let go what is held of an endpoint."""
        self._driver.release(self.number, leg)

    def act(self, leg: str, action: str) -> None:
        """Do now what a rule with this action would do: ``act("client", "fin")``."""
        self._driver.act(self.number, leg, action)

    def wait_for(
        self, event: str, leg: str | None = None, *, count: int = 1, within: float = 10.0
    ) -> finproxy.Record:
        """Wait until there are `count` records of this event in this session; the last of them."""
        return self._story.wait_for(event, leg, self.number, count, within)

    def closed(self, *, within: float = 10.0) -> Mapping[str, Any]:
        """Wait until it is over; the fields of its ``session.closed`` record."""
        return self.wait_for("session.closed", within=within).fields

    def witness(self, record: finproxy.Record) -> None:
        """Tell the watch of an RST that the proxy had of a real end, or sent to it, if no FIN came before.

        Tables do not show RSTs, and may miss the states behind a FIN: now these are known not to have been.
        Behind a FIN, an RST proves nothing of the kind.
        """
        leg = record.leg.value if record.leg else ""
        if not leg or self._told(leg) & _FIN_CAME:
            return
        kind: Literal["reset sent", "reset received"] = (
            "reset sent" if record.event == "reset.received" else "reset received"
        )
        endpoint = self.ends[leg].endpoint
        self._seen.testify(SegmentEvent(kind, endpoint, time.monotonic(), JOURNAL))

    # --- verdicts ---------------------------------------------------------------------------------

    def judge_close(self, *, late_after: float = 1.0) -> CloseVerdict:
        """How the session was closed: clean FIN, late FIN, reset, or not at all; and by whom."""
        self.client.match("ESTABLISHED")  # takes a fresh look
        return judge_close(self.client, self.server, late_after=late_after)

    def judge_data(self, *, within: float = 10.0) -> DataVerdict:
        """What became of the bytes, once the session is over."""
        ending = self.closed(within=within)
        lost = {leg: sum(x["bytes"] for x in ending["losses"] if x["leg"] == leg) for leg in ending["bytes"]}
        return judge_data([Flow(leg, sent, sent - lost[leg]) for leg, sent in ending["bytes"].items()])

    # --- for people -------------------------------------------------------------------------------

    def journal(self) -> str:
        """Its records, one line each."""
        return self._story.journal(self.number)

    def draw(self, *, width: int = 100) -> str:
        """The ladder diagram of client, both legs and server, as text."""
        return draw_text(self._diagram(), width=width)

    def draw_svg(self) -> str:
        """The ladder diagram as SVG."""
        return draw_svg(self._diagram())

    def _is_told(self, end: str) -> bool:
        """Whether the records say by what an end's flow was ended; those of the proxy's own ends need not."""
        ended = bool(self._told(end) & (_FIN_CAME | RESETS))
        return ended or self.ending is not None or end.endswith("leg")

    def _told(self, leg: str) -> set[str]:
        """The events that the records of a leg tell."""
        return {record.event for record in self._story.find(leg=leg, session=self.number)}

    def _diagram(self) -> Any:
        self.client.match("ESTABLISHED")  # takes a fresh look
        records = [record.as_dict() for record in self.records]
        # The proxy's own ends are drawn where they are seen: an agent beside it, elsewhere, is a choice.
        near, far = (self.ends[name] for name in ("client leg", "server leg"))
        return session_diagram(
            records,
            self.client,
            self.server,
            client_leg=near if near.transitions else None,
            server_leg=far if far.transitions else None,
        )
