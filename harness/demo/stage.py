"""The demo's stage: a client process, a server process, the proxy between them, and the acts of a walk.

It drives the proxy through its façade only. This module must not know what is expected of anybody, nor how
it is shown.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import trio

from finproxy import Proxy, Record, Session, WireError, open_proxy
from harness.demo.actor import Actor, actor
from harness.demo.walks import Act, Verb, Walk
from harness.errors import HarnessError

LAST_RESORT = "zero-window"
"""The technique that needs no privilege, but bytes before each FIN: nobody chooses it but for a reason."""
_PENDING = 64 * 1024
_TALK = 5
_PATIENCE = 5.0


class ActFailedError(HarnessError):
    """A step's act could not be done; the walk goes on, and says so."""


class Journal:
    """The proxy's records of the one session, and waiting for one."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.opened_at = time.monotonic()
        self._more = trio.Event()

    def __call__(self, record: Record) -> None:
        """Take a record."""
        if record.event == "session.opened":
            self.opened_at = time.monotonic() - record.t
        self.records.append(record)
        self._more.set()

    async def wait_for(self, found: Callable[[Record], bool], within: float = _PATIENCE) -> Record | None:
        """Return the first record that is `found`, or None if none comes in time."""
        with trio.move_on_after(within):
            while True:
                for record in self.records:
                    if found(record):
                        return record
                self._more = trio.Event()
                await self._more.wait()
        return None


@dataclass(frozen=True, slots=True)
class Stage:
    """One live session between two ends. `server` is None where it is somebody else's process."""

    client: Actor
    server: Actor | None
    proxy: Proxy
    session: Session
    journal: Journal
    technique: str
    why_last_resort: str = ""

    async def do(self, act: Act) -> None:
        """Carry out one act.

        Raises:
            ActFailedError: what it acts on did not come about.
            ActorError: a process did not do what it was told.

        """
        match act.verb:
            case Verb.FINISH | Verb.CLOSE:
                await self._end_and_hold(act)
            case Verb.CLOSE_FREELY:
                await self._tell(act.end, "close")
            case Verb.ANNOUNCE:
                self._must_be_held(act.end)
                await self.proxy.act(self.session, act.end, "fin")
            case Verb.LET_IN:
                self._must_be_held(act.end)
                await self.proxy.release(self.session, act.end)
            case Verb.TALK:
                await self._talk(act.end)

    async def _end_and_hold(self, act: Act) -> None:
        if self.technique == LAST_RESORT and (act.end == "client" or self.server):
            await self._tell(act.end, "send", _PENDING)
        await self._tell(act.end, "finish" if act.verb is Verb.FINISH else "close")
        held = await self.journal.wait_for(lambda record: _is(record, "fin.held", act.end))
        if held is None:
            raise ActFailedError(f"the {act.end} has not closed within {_PATIENCE:g} s")
        if "technique" not in held.fields:
            raise ActFailedError(f"the {act.end}'s FIN was accepted before it could be kept out")

    def _must_be_held(self, end: str) -> None:
        held = any(_is(record, "fin.held", end) for record in self.journal.records)
        gone = any(_is(record, "fin.received", end) for record in self.journal.records)
        if not held or gone or self.session.ending:
            raise ActFailedError(f"no FIN of the {end} is being kept out")

    async def _talk(self, end: str) -> None:
        await self._tell(end, "send", _TALK)
        read = await self._tell("client" if end == "server" else "server", "receive", _TALK)
        if read != str(_TALK):
            raise ActFailedError(f"expected {_TALK} bytes to arrive, found {read}")

    async def _tell(self, end: str, what: str, *arguments: object) -> str:
        who = self.client if end == "client" else self.server
        if who is None:
            return ""  # a real server does as it likes
        return await who.do(what, *arguments)


@asynccontextmanager
async def open_stage(walk: Walk, *, upstream: str | None, wire: str | None) -> AsyncIterator[Stage]:
    """Start everything and connect the ends.

    Raises:
        HarnessError: the upstream refused, or a process did not start.
        FinproxyError: no technique works here, not even the one that needs no privilege, or `wire` does not.

    """
    journal = Journal()
    async with AsyncExitStack() as stack:
        server = None if upstream else await stack.enter_async_context(actor("server"))
        where = upstream or f"127.0.0.1:{await server.do('listen')}"  # type: ignore[union-attr]
        proxy, why = await _enter_proxy(stack, where, walk, wire, journal)
        # Started last, ended first: what is left of the session when the walk ends is aborted quickly.
        client = await stack.enter_async_context(actor("client"))
        await client.do("connect", *proxy.address)
        session = proxy.sessions[await _opened(journal, where)]
        if server:
            await server.do("accept")
        listening = journal.records[0].fields
        yield Stage(client, server, proxy, session, journal, str(listening["technique"]), why)


async def _enter_proxy(
    stack: AsyncExitStack, upstream: str, walk: Walk, wire: str | None, journal: Journal
) -> tuple[Proxy, str]:
    """Return the proxy, and why its technique is the last resort, if it is."""
    settings = {"observers": [journal], "grace": 0.0}
    try:
        opening = open_proxy(upstream, walk.rules, wire=wire, **settings)  # type: ignore[arg-type]
        return await stack.enter_async_context(opening), ""
    except WireError as error:
        if wire is not None:
            raise
        opening = open_proxy(upstream, walk.rules, wire=LAST_RESORT, **settings)  # type: ignore[arg-type]
        return await stack.enter_async_context(opening), str(error)


async def _opened(journal: Journal, upstream: str) -> int:
    """Return the session's number."""
    record = await journal.wait_for(
        lambda record: record.event in {"session.opened", "session.refused"}, within=15
    )
    if record is None or record.event == "session.refused":
        found = "nothing" if record is None else record.fields["reason"]
        raise HarnessError(f"expected {upstream} to accept a connection, found: {found}")
    return record.session or 1


def _is(record: Record, event: str, end: str) -> bool:
    return record.event == event and record.leg is not None and record.leg.value == end
