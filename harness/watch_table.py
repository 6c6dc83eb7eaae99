"""The command `finproxy watch`: a live table of the endpoints of a port or of a process.

Takes parsed arguments, prints, returns an exit code. The states come from `harness.watch`; this module must
not know sources, and prints no table that could be mistaken for "all closed" when nothing was ever seen.
"""

import time
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.errors import HarnessError
from harness.sources.choice import best_table
from harness.sources.owners import sockets_of
from harness.states import TcpState
from harness.watching.seen_endpoint import SeenEndpoint
from harness.watching.watch import AskedSources, watch

_REFRESH = 0.25
# A row that is gone stays in the table for so long: nobody can read what vanishes at once.
_SHOWS_CLOSED = 5.0
_WIDTH_WITH_TIMER = 100


def run_watch(
    *,
    port: int | None = None,
    pid: int | None = None,
    until_closed: bool = False,
    source: AskedSources | None = None,
    console: Console | None = None,
    timeout: float | None = None,
) -> int:
    """Show endpoints until Ctrl-C, until all are closed (`until_closed`), or for `timeout` seconds.

    On a terminal the table is redrawn in place; elsewhere each change is one line. Returns 0 when it ended as
    asked, 1 if nothing can be watched (said why), 3 if `timeout` came before `until_closed` was fulfilled.
    """
    out = console or Console()
    if (port is None) == (pid is None):
        say(out, "expected a port or a pid to watch, found neither or both; give :PORT or --pid PID")
        return 1
    try:
        return _watch(out, port, pid, until_closed=until_closed, source=source, timeout=timeout)
    except HarnessError as error:
        say(out, str(error))
        return 1
    except KeyboardInterrupt:
        return 0


def _watch(
    out: Console,
    port: int | None,
    pid: int | None,
    *,
    until_closed: bool,
    source: AskedSources | None,
    timeout: float | None,
) -> int:
    ports = frozenset({port}) if port is not None else _ports_of(pid or 0)
    deadline = None if timeout is None else time.monotonic() + timeout
    with watch(ports=ports, source=source, pid=pid) as seen, _View(out, _what(port, pid)) as view:
        for note in seen.notes:
            say(out, f"note: {note}")
        while True:
            # Judged before it is shown: the last thing shown must be that all are closed.
            is_over = until_closed and _all_closed(seen.endpoints)
            view.show(seen.endpoints)
            if is_over:
                return 0
            if deadline is not None and time.monotonic() >= deadline:
                return 3 if until_closed else 0
            seen.wait_for_news(_REFRESH)


def _ports_of(pid: int) -> frozenset[int]:
    """Return the local ports on which process `pid` has TCP sockets: its connections are watched by them."""
    inodes = sockets_of(pid)
    table = best_table(pid)
    try:
        ports = {row.endpoint.local.port for row in table.rows() if row.inode in inodes}
    finally:
        table.close()
    if not ports:
        raise HarnessError(
            f"expected process {pid} to hold TCP sockets, found none; "
            "start watching when it listens or is connected, or watch a port"
        )
    return frozenset(ports)


def _what(port: int | None, pid: int | None) -> str:
    return f"port {port}" if port is not None else f"process {pid}"


def _all_closed(endpoints: Sequence[SeenEndpoint]) -> bool:
    """Whether there was a connection and all that is left of it is TIME-WAIT, which needs nobody."""
    return bool(endpoints) and all(end.state in {TcpState.CLOSED, TcpState.TIME_WAIT} for end in endpoints)


class _View:
    """Shows the endpoints: a live table on a terminal, a line for each change elsewhere."""

    def __init__(self, out: Console, what: str) -> None:
        self.out = out
        self.what = what
        self.live = Live(console=out, auto_refresh=False) if out.is_terminal else None
        self.shown: dict[SeenEndpoint, int] = {}
        self.said_empty = False

    def __enter__(self) -> Self:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self.live is not None:
            self.live.stop()

    def show(self, endpoints: Sequence[SeenEndpoint]) -> None:
        if not endpoints and not self.said_empty:
            self.said_empty = True
            say(self.out, f"no connection of {self.what} in this network namespace yet; waiting for one")
        if self.live is not None:
            self.live.update(_table(endpoints, self.out.width), refresh=True)
        else:
            self._print_news(endpoints)

    def _print_news(self, endpoints: Sequence[SeenEndpoint]) -> None:
        news: list[tuple[float, str]] = []
        for end in endpoints:
            for step in end.transitions[self.shown.get(end, 0) :]:
                owner = step.owner or end.owner or "owner unknown"
                news.append((step.at, f"{end.endpoint}  {step.after}  {owner}  ({step.evidence})"))
            self.shown[end] = len(end.transitions)
        for _at, line in sorted(news, key=itemgetter(0)):
            say(self.out, line)


def say(out: Console, line: str) -> None:
    """Print a line as it is: addresses in brackets are no markup, and scripts want no wrapped lines."""
    out.print(line, highlight=False, markup=False, soft_wrap=True)


def _table(endpoints: Sequence[SeenEndpoint], width: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    shows_timer = width >= _WIDTH_WITH_TIMER
    # A long program name must not squeeze addresses and states: 80 columns hold a whole row.
    table.add_column("local", overflow="fold", min_width=15)
    table.add_column("remote", overflow="fold", min_width=15)
    table.add_column("state", no_wrap=True, min_width=len(TcpState.SYN_RECEIVED))
    table.add_column("for", no_wrap=True)
    table.add_column("owner", no_wrap=True, max_width=None if shows_timer else 12)
    for title in ("unread", "unacked", *(["timer"] if shows_timer else [])):
        table.add_column(title, no_wrap=True)
    now = time.monotonic()
    for end in endpoints:
        if end.state is None or (end.state is TcpState.CLOSED and now - (end.since or now) > _SHOWS_CLOSED):
            continue
        table.add_row(*_cells(end, now, shows_timer))
    return table


def _cells(end: SeenEndpoint, now: float, shows_timer: bool) -> Iterator[Text]:
    row = end.row
    yield Text(str(end.endpoint.local))
    yield Text(str(end.endpoint.remote))
    yield Text(str(end.state), style="bold")
    yield Text(_age(now - (end.since or now)))
    yield Text(str(end.owner or "?"))
    yield Text(_number(row.receive_queue if row else None))
    yield Text(_number(row.send_queue if row else None))
    if shows_timer:
        yield Text(str(row.timer) if row and row.timer else "-")


def _age(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds < 60 else f"{seconds / 60:.0f}m"


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
