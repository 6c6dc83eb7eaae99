"""Scenarios about connections that are kept for the next request. Data only."""

from typing import Final

from harness.scenarios.scenario import CLIENT, Scenario

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
)
