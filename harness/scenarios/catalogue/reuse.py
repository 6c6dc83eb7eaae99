"""Scenarios about connections that are kept for the next request. Data only."""

from typing import Final

from harness.scenarios.scenario import CLIENT, SERVER, Parameter, Scenario

REUSE: Final = (
    Scenario(
        name="fin-right-after-response",
        title="FIN in the answer's last segment",
        subjects=(CLIENT,),
        does="FIN in the answer's last segment, though the connection was to be kept; then another request",
        client_end="both requests succeed",
        server_end="-",
        explanation=(
            "The answer does not say that the connection ends, yet the FIN comes with its last byte. "
            "When the client asks again the end has long been there to be read: a pool that does not "
            "look reuses a dead connection."
        ),
        rests_on="RFC 9112 section 9.5: a client should watch an idle connection for its end",
        incidents=("aio-libs/aiohttp#7297", "aio-libs/aiohttp#3609"),
    ),
    Scenario(
        name="fin-crosses-request",
        title="The server's FIN and the next request cross",
        subjects=(CLIENT,),
        rules=("server.fin -> hold",),
        does="the server has closed a kept connection, and the client does not know when it sends a GET",
        client_end="the client repeats the request on a new connection",
        server_end="-",
        explanation=(
            "The keep-alive race: the server's idle timer closes the connection while the next "
            "request is on its way. Nobody did anything wrong, and a GET may be sent again. A client "
            "that reports an error burdens its user with the race; one that hangs or comes back "
            "without an answer is broken."
        ),
        rests_on="RFC 9112 section 9.3.1; RFC 9110 section 9.2.2",
        incidents=("psf/requests#2364", "urllib3/urllib3#1911", "golang/go#22158", "nodejs/node#47130"),
    ),
    Scenario(
        name="fin-delayed-idle",
        title="The FIN of an idle connection comes late",
        subjects=(SERVER, CLIENT),
        rules=("server.fin -> delay {delay:g}s",),
        does="the server closes a kept connection; its FIN comes so many seconds later",
        client_end="ESTABLISHED until the FIN comes; a request meanwhile is repeated or reported, not lost",
        server_end="ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2? > TIME-WAIT",
        explanation=(
            "For as long as the FIN is on its way the client holds a connection for good that is "
            "dead. What it sends meanwhile must be answered over another connection, or be reported; "
            "to lose it in silence or to hang is wrong. The server waits in FIN-WAIT-2 and must "
            "neither reset nor keep the socket when the client has closed at last."
        ),
        rests_on="RFC 9112 section 9.5; RFC 9293 section 3.6",
        incidents=("psf/requests#2364", "envoyproxy/envoy#2715", "h2o/h2o#281"),
        parameters=(Parameter("delay", 0.3, "seconds that the FIN is under way"),),
    ),
    Scenario(
        name="request-delivered-then-fin",
        title="The request was delivered, then FIN comes in the place of the answer",
        subjects=(CLIENT,),
        does="the second request on a kept connection is read by the server, which then closes",
        client_end="a GET may be repeated, a POST must not; else an error is reported",
        server_end="-",
        explanation=(
            "To the client it looks like the keep-alive race, but the server has seen the request, "
            "and may have done what it asks. Repeating a GET is harmless. Repeating a POST orders "
            "twice: only its user can decide that."
        ),
        rests_on="RFC 9110 section 9.2.2: no automatic repetition of what is not idempotent",
        incidents=("curl/curl#18417", "golang/go#19943"),
    ),
    Scenario(
        name="reset-on-next-packet",
        title="A reset answers the next request",
        subjects=(CLIENT,),
        does="the first byte of the second request on a kept connection is answered by RST",
        client_end="the request is repeated on a new connection, or an error is reported",
        server_end="-",
        explanation=(
            "A middlebox has forgotten the idle connection, without a word to either end, and "
            "answers the next segment with a reset. A pool has to discard the connection and repeat "
            "or report."
        ),
        rests_on="RFC 9293 section 3.5.3; RFC 9112 section 9.3.1",
        incidents=("kubernetes/ingress-nginx#5695", "kubernetes/kubernetes#74839", "redis/redis-py#1186"),
    ),
    Scenario(
        name="blackhole-after-idle",
        title="A kept connection has silently died",
        subjects=(CLIENT,),
        rules=("server.bytes {first} -> blackhole",),
        does="behind the first answer no byte and no FIN moves any more; then comes the second request",
        client_end="it comes back within its own timeout, with an error or with the answer",
        server_end="-",
        explanation=(
            "The other kind of middlebox drops everything. The kernel would go on sending the "
            "request for a quarter of an hour (tcp_retries2) before it gives up: without a timeout "
            "of its own the client hangs, and with it whoever waits for it."
        ),
        rests_on="RFC 9293 section 3.8.3; ip-sysctl: tcp_retries2 (about 924 s)",
        incidents=("brettwooldridge/HikariCP#2006", "psycopg/psycopg2#1017", "grpc/grpc#15889"),
        bound=60.0,
    ),
)
