"""The command `finproxy doctor`: which sources work here, proved by using each, and the knobs that matter.

Nothing is guessed from versions: each probe opens a connection on loopback and looks for it. Probes of
other parts (the wire techniques) are handed in by the command line, which is the only place that knows
both. This module must not know them.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Protocol

from harness.errors import HarnessError
from harness.knobs import read_knobs
from harness.rows import Endpoint
from harness.sources.choice import descriptions
from harness.states import TcpState
from harness.watching.watch import watch

_PATIENCE = 2.0


class Outcome(Protocol):
    """What a probe found: whether it worked, why (not), and what to do if it did not ("" if nothing)."""

    @property
    def ok(self) -> bool: ...  # noqa: D102 - the class says it

    @property
    def why(self) -> str: ...  # noqa: D102

    @property
    def what_to_do(self) -> str: ...  # noqa: D102


Probe = tuple[str, Callable[[], Outcome]]


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of one of this module's probes."""

    ok: bool
    why: str
    what_to_do: str = ""


def run_doctor(
    extra_probes: Iterable[Probe] = (), *, as_json: bool = False, out: Callable[[str], None] = print
) -> int:
    """Run all probes, print what each found and the knobs; return 0 if a table source works, else 1.

    `extra_probes`: (name, callable returning an Outcome) of other parts. A probe that raises is reported as
    failed with its error; it does not stop the others.
    """
    results = {name: _run(probe) for name, probe in (*SOURCE_PROBES, *extra_probes)}
    works = any(results[name].ok for name in _TABLES)
    if as_json:
        out(_json(results))
        return 0 if works else 1
    about = descriptions()
    for name, outcome in results.items():
        out(f"{'ok' if outcome.ok else '--':<3} {name:<24} {outcome.why}")
        for line in filter(None, (outcome.what_to_do, about.get(name))):
            out(f"    {'':<24} {line}")
    out("")
    for knob in read_knobs():
        out(f"    {knob.name:<34} {knob.value or 'not here':<14} {knob.meaning}")
    return 0 if works else 1


def probe_source(name: str, host: str = "127.0.0.1") -> Found:
    """Half-close a real connection and see whether one source alone shows both ends' states."""
    try:
        with connection(host) as (client, _server):
            endpoint = Endpoint.of((client.getsockname(), client.getpeername()))
            with watch(endpoint, endpoint.peer, source=name) as seen:
                began = time.monotonic()
                client.shutdown(socket.SHUT_WR)
                seen.client.wait_for(TcpState.FIN_WAIT_2, within=_PATIENCE)
                seen.server.wait_for(TcpState.CLOSE_WAIT, within=_PATIENCE)
                took = (time.monotonic() - began) * 1000
    except HarnessError as error:
        return Found(ok=False, why=str(error))
    except OSError as error:
        return Found(ok=False, why=f"expected a connection on {host}, found {error.strerror}")
    return Found(ok=True, why=f"saw FIN-WAIT-2 and CLOSE-WAIT of a real half-close after {took:.1f} ms")


@contextmanager
def connection(host: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give the two ends of a real connection on loopback."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family) as listener,
        socket.create_connection(listener.getsockname()[:2]) as client,
    ):
        server, _address = listener.accept()
        with server:
            yield client, server


def probe_tcp_info() -> Found:
    """Read TCP_INFO of both ends of a real connection."""
    from harness.sources.tcp_info import TcpInfo

    try:
        with connection("127.0.0.1") as (client, server):
            states = {row.state for row in TcpInfo(client, server).rows()}
    except (HarnessError, OSError) as error:
        return Found(ok=False, why=str(error))
    return Found(ok=states == {TcpState.ESTABLISHED}, why=f"own sockets say {', '.join(states)}")


def probe_owner() -> Found:
    """See whether the owner of a real socket is found from the table: it is this very process."""
    with connection("127.0.0.1") as (client, _server):
        endpoint = Endpoint.of((client.getsockname(), client.getpeername()))
        with watch(endpoint) as seen:
            owner = seen.client.owner
    if owner is None or owner.pid != os.getpid():
        return Found(ok=False, why=f"expected this process as owner, found {owner}", what_to_do="mount /proc")
    return Found(ok=True, why=f"found {owner} as owner of its own socket")


_TABLES = ("sock_diag", "procfs", "psutil")
SOURCE_PROBES: tuple[Probe, ...] = (
    *((name, partial(probe_source, name)) for name in _TABLES),
    ("sock_diag over IPv6", partial(probe_source, "sock_diag", "::1")),
    ("tracepoint", partial(probe_source, "tracepoint")),
    ("tcp_info", probe_tcp_info),
    ("owners", probe_owner),
)


def _run(probe: Callable[[], Outcome]) -> Outcome:
    try:
        return probe()
    except Exception as error:  # a probe is somebody else's code; its failure is the result
        return Found(ok=False, why=f"the probe itself failed: {type(error).__name__}: {error}")


def _json(results: dict[str, Outcome]) -> str:
    probes = [
        {"name": name, "ok": found.ok, "why": found.why, "what_to_do": found.what_to_do}
        for name, found in results.items()
    ]
    return json.dumps({"probes": probes, "knobs": [asdict(knob) for knob in read_knobs()]}, indent=2)
