"""Scenarios at the moment in which a server is asked to end. Data only."""

from typing import Final

from harness.scenarios.scenario import SERVER, Parameter, Scenario

_KEPT_OPEN = "RFC 9112 section 9.5: a server that closes should do so in order"

SIGTERM: Final = (
    Scenario(
        name="idle-peer-at-sigterm",
        title="SIGTERM with an idle keep-alive client",
        subjects=(SERVER,),
        does="SIGTERM while a keep-alive client is idle",
        client_end="FIN",
        server_end="it exits within its grace",
        explanation=(
            "An idle client has nothing outstanding, so nothing is worth waiting for. A server that "
            "waits for it to close hangs until somebody kills it, with those whose requests were in "
            "flight."
        ),
        rests_on=_KEPT_OPEN,
        incidents=(
            "Kludex/uvicorn#669",
            "python/cpython#104344",
            "pgjones/hypercorn#308",
            "aio-libs/aiohttp#1221",
        ),
    ),
    Scenario(
        name="unused-connection-at-sigterm",
        title="SIGTERM with a client that has sent nothing",
        subjects=(SERVER,),
        does="SIGTERM while a client is connected that has sent nothing",
        client_end="-",
        server_end="it exits within its grace",
        explanation=(
            "Browsers and health checks connect ahead of need. A server that counts such a "
            "connection as work in progress does not exit."
        ),
        rests_on=_KEPT_OPEN,
        incidents=("golang/go#22682",),
    ),
    Scenario(
        name="inflight-at-sigterm",
        title="SIGTERM with a request in flight",
        subjects=(SERVER,),
        does="SIGTERM while a slow request is being answered",
        client_end="the whole answer",
        server_end="it exits when it has answered",
        explanation=(
            "What draining is for: the request was accepted, so it is answered. Every rolling update "
            "shows who does not."
        ),
        rests_on="RFC 9112 section 9.6",
        incidents=("benoitc/gunicorn#2529", "spring-projects/spring-boot#40802"),
        parameters=(Parameter("answer_delay", 1.0, "seconds that the answer takes"),),
    ),
    Scenario(
        name="backlog-at-sigterm",
        title="SIGTERM with connections in the backlog",
        subjects=(SERVER,),
        does="SIGTERM while connections with requests wait to be accepted",
        client_end="an answer or FIN, no RST",
        server_end="it answers them, or closes them in order",
        explanation=(
            "The kernel has accepted the connections and their requests, the server has not. Closing "
            "the listener resets them all, unless the server accepts what waits before it closes. It "
            "is stopped while they connect, so that all of them do wait."
        ),
        rests_on="RFC 9293 section 3.6.1 (SHLD-3): a reset shows that data was lost",
        incidents=("benoitc/gunicorn#2529", "benoitc/gunicorn#3397"),
        parameters=(Parameter("waiting", 4, "connections that wait to be accepted"),),
    ),
    Scenario(
        name="request-after-sigterm",
        title="A request on a kept connection after SIGTERM",
        subjects=(SERVER,),
        does="a request on a kept connection after SIGTERM, while a slow one is being answered",
        client_end="an answer, or FIN before the request",
        server_end="no RST in the place of an answer",
        explanation=(
            "A server that drains still has kept connections. It may answer what comes on them, or "
            "close them before it comes; to accept a request and then reset is the one thing that "
            "nobody can handle."
        ),
        rests_on="RFC 9112 section 9.5 and section 9.6",
        incidents=("golang/go#21204", "kubernetes/kubernetes#43576"),
        parameters=(Parameter("answer_delay", 1.0, "seconds that the slow answer takes"),),
    ),
)
