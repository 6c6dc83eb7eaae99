"""The catalogue: for each scenario who is tried, the rules, what is done, what must be seen, and why.

Data only. `incident` is a public thread of people who lost hours to it. This module must not know how a
scenario is played.
"""

from dataclasses import dataclass

from harness.errors import UsageError


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. `subject` is who is tried: "server" or "client"."""

    name: str
    subject: str
    rules: tuple[str, ...]
    does: str
    client_end: str
    """What must be seen at the client's end."""
    server_end: str
    """What must be seen at the server's end."""
    incident: str = "baseline"


CATALOGUE: tuple[Scenario, ...] = (
    Scenario(
        "clean-client-close",
        "server",
        (),
        "one exchange, then the client closes",
        "ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2? > TIME-WAIT",
        "ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED",
    ),
    Scenario(
        "clean-server-close",
        "server",
        (),
        "a request that asks the server to close; then the client closes too",
        "ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED",
        "ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2? > TIME-WAIT",
    ),
    Scenario(
        "half-close-request",
        "server",
        (),
        "the client half-closes right behind its request",
        "the whole answer, then FIN",
        "it answers though the client has half-closed",
        "Kludex/uvicorn#1264, moby/moby#27539, envoyproxy/envoy#2066",
    ),
    Scenario(
        "half-close-swallowed",
        "server",
        ("client.fin -> hold",),
        "the client half-closes behind its request; the FIN is held until the answer is there",
        "the whole answer",
        "ESTABLISHED while the FIN is held; it closes once the FIN is let go",
        "moby/moby#29655",
    ),
    Scenario(
        "fin-never-comes",
        "server",
        (),
        "a request that asks the server to close; the client never closes",
        "CLOSE-WAIT, for ever",
        "its fd is released: no FIN-WAIT-2 that a process holds",
        "nodejs/node-v0.x-archive#3613, envoyproxy/envoy#41086",
    ),
    Scenario(
        "data-after-fin",
        "server",
        (),
        "the client goes on sending after the server has closed",
        "RST",
        "it survives, and answers the next client",
        "redis/redis#7694",
    ),
    Scenario(
        "time-wait-side",
        "server",
        (),
        "ten exchanges, in each of which the server is asked to close first",
        "no TIME-WAIT",
        "ten sockets in TIME-WAIT",
        "haproxy/haproxy#136",
    ),
    Scenario(
        "idle-peer-at-sigterm",
        "server",
        (),
        "SIGTERM while a keep-alive client is idle",
        "FIN",
        "it exits within its grace",
        "Kludex/uvicorn#669, python/cpython#104344, pgjones/hypercorn#308, aio-libs/aiohttp#1221",
    ),
    Scenario(
        "unused-connection-at-sigterm",
        "server",
        (),
        "SIGTERM while a client is connected that has sent nothing",
        "-",
        "it exits within its grace",
        "golang/go#22682",
    ),
    Scenario(
        "inflight-at-sigterm",
        "server",
        (),
        "SIGTERM while a slow request is being answered",
        "the whole answer",
        "it exits when it has answered",
        "benoitc/gunicorn#2529, spring-projects/spring-boot#40802",
    ),
    Scenario(
        "backlog-at-sigterm",
        "server",
        (),
        "SIGTERM while connections with requests wait to be accepted",
        "an answer or FIN, no RST",
        "it answers them, or closes them in order",
        "benoitc/gunicorn#2529",
    ),
    Scenario(
        "request-after-sigterm",
        "server",
        (),
        "a request on a kept connection after SIGTERM, while a slow one is being answered",
        "an answer, or FIN before the request",
        "no RST in the place of an answer",
        "golang/go#21204, kubernetes/kubernetes#43576",
    ),
    Scenario(
        "fin-mid-body",
        "client",
        ("server.bytes {half} -> fin",),
        "FIN in the middle of a body whose length was announced",
        "the client reports an error",
        "-",
        "psf/requests#4956, urllib3/urllib3#311, python/cpython#115997",
    ),
    Scenario(
        "rst-mid-response",
        "client",
        ("server.bytes {half} -> reset",),
        "RST in the middle of a body whose length was announced",
        "the client reports an error",
        "-",
        "envoyproxy/envoy#24083",
    ),
    Scenario(
        "rst-close-delimited",
        "client",
        ("server.bytes {half} -> reset",),
        "RST in the middle of a body that the end of the connection delimits",
        "the client reports an error (RFC 9112 section 8)",
        "-",
        "psf/requests#4956",
    ),
    Scenario(
        "rst-after-full-response",
        "client",
        ("server.fin -> reset",),
        "RST in the place of the FIN behind a complete body",
        "the body intact, or an error",
        "-",
        "encode/httpcore#723, hyperium/hyper#3078",
    ),
    Scenario(
        "sigkill-peer",
        "client",
        (),
        "the server is killed in the middle of its answer",
        "the client reports an error",
        "-",
        "AsyncHttpClient/async-http-client#776",
    ),
    Scenario(
        "fin-right-after-response",
        "client",
        (),
        "FIN in the answer's last segment, though the connection was to be kept; then another request",
        "both requests succeed",
        "-",
        "aio-libs/aiohttp#7297",
    ),
    Scenario(
        "fin-crosses-request",
        "client",
        ("server.fin -> hold",),
        "the server has closed a kept connection, and the client does not know when it sends a GET",
        "the client repeats the request on a new connection",
        "-",
        "psf/requests#2364, urllib3/urllib3#1911, golang/go#22158",
    ),
)


def find_scenario(name: str) -> Scenario:
    """Return the scenario of this name.

    Raises:
        UsageError: there is none; lists those that there are.

    """
    for scenario in CATALOGUE:
        if scenario.name == name:
            return scenario
    names = ", ".join(scenario.name for scenario in CATALOGUE)
    raise UsageError(f"expected a scenario ({names}), found {name!r}; write one of these names")
