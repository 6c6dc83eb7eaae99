"""`harness.watch(...)`: opens sources, starts the watcher, and gives its user what was seen, in either form.

The composition of the package. It must not know what is checked or waited for.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType

from harness.rows import Endpoint, RawEndpoint
from harness.sources.base import TableSource
from harness.sources.choice import Sources, best_table, choose
from harness.watching.far import FarSource
from harness.watching.rounds import Rounds
from harness.watching.scope import Scope
from harness.watching.seen import AsyncSeen, Seen
from harness.watching.seen_endpoint import AsyncSeenEndpoint, SeenEndpoint
from harness.watching.watcher import Watcher

AskedSources = str | TableSource | Iterable[str | TableSource]


class watch:  # noqa: N801 - used like a function: `with harness.watch(...) as seen`
    """Watch endpoints while the body runs: `with` gives a Seen, `async with` (Trio) an AsyncSeen.

    Args:
        endpoints: anything with `.local` and `.remote` (a proxy session's `client` and `server`), or
            ((local host, port), (remote host, port)) as the endpoint itself sees them.
        source: a name of sources.choice.NAMES, an open table source, or several; None for the best here.
        pid: watch in the network namespace of this process (procfs, unless it is our own).
        ports: also watch every connection with one of these ports on either end, as it appears.
        names: how endpoints are called in drawings; "client" and "server" if not given.
        agents: addresses of `finproxy agent` in other network namespaces, each with a name for notes:
            ``{"server": "http://server-states:8475"}``. An endpoint is followed where it is first seen, by
            tables: with agents, the tracepoint is not used, which cannot tell namespaces apart.
        token: what the agents ask for.

    Raises:
        SourceUnavailableError: a source that was named does not work here, or none does, or nobody answers
            at an agent's address (when entered).
        UsageError: something that is no endpoint.

    """

    def __init__(
        self,
        *endpoints: Endpoint | RawEndpoint,
        source: AskedSources | None = None,
        pid: int | None = None,
        ports: Iterable[int] = (),
        names: Sequence[str] = (),
        agents: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> None:
        self._endpoints = [Endpoint.of(raw) for raw in endpoints]
        self._source = source
        self._pid = pid
        self._ports = frozenset(ports)
        self._names = names
        self._agents = dict(agents or {})
        self._token = token
        self._watcher: Watcher | None = None

    def __enter__(self) -> Seen:
        seen = Seen(self._open(), SeenEndpoint)
        self._start(seen)
        return seen

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watcher is not None:
            self._watcher.stop()

    async def __aenter__(self) -> AsyncSeen:
        import trio

        # A cancellation between the two steps would leave a tracing instance behind that nobody closes.
        with trio.CancelScope(shield=True):
            seen = AsyncSeen(await trio.to_thread.run_sync(self._open), AsyncSeenEndpoint)
            await trio.to_thread.run_sync(self._start, seen)
        return seen

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import trio

        # Must run to its end also when the body was cancelled: the tracing instance has to be removed.
        with trio.CancelScope(shield=True):
            if self._watcher is not None:
                await trio.to_thread.run_sync(self._watcher.stop)

    def _open(self) -> Watcher:
        from harness.sources.owners import find_owners

        sources = self._open_sources()
        try:
            far = self._open_agents()
        except BaseException:
            sources.close()
            raise
        self._watcher = Watcher(Rounds(sources, find_owners, Scope(self._ports), far))
        return self._watcher

    def _open_sources(self) -> Sources:
        if self._agents and self._source is None:
            # This kernel's tracepoint would tell of the agents' sockets too, sooner than they do.
            return Sources(best_table(self._pid), None)
        return choose(self._source, pid=self._pid)

    def _open_agents(self) -> Sequence[FarSource]:
        from harness.remote.agent_link import AgentLink

        with ExitStack() as opened:
            links = []
            for name, url in self._agents.items():
                links.append(AgentLink(name, url, self._token))
                opened.callback(links[-1].close)
            opened.pop_all()
        return links

    def _start(self, seen: Seen | AsyncSeen) -> None:
        seen.add(*self._endpoints, names=self._names)
        if self._watcher is not None:
            self._watcher.start()
        seen.began = time.monotonic()
