"""One agent: a watch over this network namespace, the board it writes, and the HTTP service that shows it.

The composition of the package. This module must not know a command line.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from typing import Any

import trio

import finproxy
from harness.agent.board import Board
from harness.agent.reporter import Reporter
from harness.errors import SourceUnavailableError
from harness.rows import Endpoint, SocketRow
from harness.sources.base import wanted
from harness.sources.choice import Sources, best_table
from harness.sources.owners import find_owners
from harness.sources.whereabouts import clocks, whereabouts
from harness.transitions import FarEvent
from harness.watching.pace import IDLE_SHARE
from harness.watching.rounds import Rounds
from harness.watching.scope import Scope
from harness.watching.watcher import Watcher

# Docker's resolver listens here in each container's namespace: nobody's connections but its own.
_DOCKER_DNS = "127.0.0.11"
# A test waits while somebody listens: what it waits for should be told within milliseconds.
_SHARE_WITH_LISTENERS = 0.1
_TABLE_ONLY = "tables only: the tracepoint cannot tell namespaces apart; short states may stay unseen"


class Agent:
    """What the HTTP service asks. Its methods belong to Trio's thread, but for `is_wanted`."""

    def __init__(self, port: int = 0, ports: Iterable[int] = ()) -> None:
        self.board = Board()
        self.port = port
        """The port that it is served on; its connections are not reported."""
        chosen = frozenset(ports)
        self._scope = Scope(chosen, everything=not chosen, is_wanted=self.is_wanted)
        self._begun: Watcher | None = None
        self._listeners = 0
        self._failed = trio.Event()
        self._trio = trio.lowlevel.current_trio_token()

    def is_wanted(self, endpoint: Endpoint) -> bool:
        """Whether this connection is somebody's, and not this agent's or Docker's own."""
        hosts, ports = zip(endpoint.local, endpoint.remote, strict=True)
        return _DOCKER_DNS not in hosts and self.port not in ports

    def identity(self) -> dict[str, Any]:
        """Who and where this agent is, by which clock, and what limits what it sees."""
        table = self._watcher.rounds.sources.table
        return {
            "run": self.board.feed.run,
            **asdict(whereabouts()),
            "clock": clocks(),
            "source": table.name if table else "",
            "notes": list(self._watcher.notes),
            "finproxy": finproxy.__version__,
        }

    async def look(self) -> int:
        """Look now; the number of the newest event once all that this look showed has been told."""
        await trio.to_thread.run_sync(self._watcher.refresh)
        # News of that look were sent to this thread before the look returned: they are on the board.
        return self.board.feed.newest

    async def rows(self, ports: frozenset[int] = frozenset()) -> list[SocketRow]:
        """The rows of the table now, with their owners, listeners included."""
        from harness.holdings import all_sockets

        rows = await trio.to_thread.run_sync(all_sockets)
        return [row for row in rows if self.is_wanted(row.endpoint) and wanted(row, ports)]

    @contextmanager
    def listened_to(self) -> Iterator[None]:
        """Look more often while somebody listens."""
        self._listeners += 1
        self._watcher.spend(_SHARE_WITH_LISTENERS)
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._watcher.spend(IDLE_SHARE)

    @property
    def _watcher(self) -> Watcher:
        if self._begun is None:
            raise SourceUnavailableError("the agent does not watch yet; ask again")
        return self._begun

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch until cancelled; started once the first look is over.

        Raises:
            SourceUnavailableError: the table cannot be read any more. A blind agent must not live on.

        """
        sources = Sources(best_table(), None, (_TABLE_ONLY,))
        self._begun = watcher = Watcher(Rounds(sources, find_owners, self._scope))
        with watcher.calling(Reporter(watcher, self._tell)), watcher.calling(self._look_for_failure):
            # Shielded: what has begun has to be ended, or its descriptors stay open.
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(watcher.start)
            task_status.started()
            try:
                await self._failed.wait()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(watcher.stop)
        raise watcher.failure or SourceUnavailableError("the watch has ended")

    def _tell(self, events: Sequence[FarEvent], forgotten: Sequence[Endpoint]) -> None:
        self._trio.run_sync_soon(self.board.take_in, events, forgotten)

    def _look_for_failure(self) -> None:
        if self._begun is not None and self._begun.failure is not None:
            self._trio.run_sync_soon(self._failed.set)


@asynccontextmanager
async def serve_agent(
    listen: tuple[str, int],
    *,
    ports: Iterable[int] = (),
    token: str | None = None,
    hosts: Iterable[str] = (),
    allow_signals: bool = False,
) -> AsyncIterator[tuple[str, int]]:
    """Run an agent for as long as the block lasts; yields the address that it listens on.

    Args:
        listen: host and port; port 0 lets the system choose.
        ports: report connections with one of these on either end; without any, all connections.
        token: requests must bear it; None asks for none.
        hosts: names with a dot by which it may be called.
        allow_signals: let requests send signals to programs that listen in this namespace.

    Raises:
        SourceUnavailableError: no table can be read here, or not any more.
        ListenError: the port is taken, or the address is not one of this machine.

    """
    from harness.agent.service import application

    agent = Agent(listen[1], ports)
    app = finproxy.Guard(
        application(agent, allow_signals=allow_signals), token=token, hosts=hosts, open_paths=("/v1/health",)
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(agent.run)
        async with finproxy.serve_http(app, listen) as address:
            agent.port = address[1]
            yield address
        nursery.cancel_scope.cancel()
