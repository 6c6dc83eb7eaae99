"""Scenarios of the plain close: who sends the first FIN, and what each end has to do then. Data only."""

from typing import Final

from harness.scenarios.scenario import RELAY, SERVER, Parameter, Scenario

ACTIVE: Final = "ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2? > TIME-WAIT"
PASSIVE: Final = "ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED"

CLOSES: Final = (
    Scenario(
        name="clean-client-close",
        title="The client closes first",
        subjects=(SERVER, RELAY),
        does="one exchange, then the client closes",
        client_end=ACTIVE,
        server_end=PASSIVE,
        explanation=(
            "The baseline. A client that has its answer closes. The server reads end of file and has "
            "to close as well, with a FIN. One that does not stays in CLOSE-WAIT for ever, since no "
            "timer ends that state; one that resets shows that it did not expect the most ordinary "
            "end there is. A relay has to pass the FIN on, and its peer's FIN back."
        ),
        rests_on="RFC 9293 section 3.6, cases 1 and 2, and figure 12",
    ),
    Scenario(
        name="clean-server-close",
        title="The server closes first",
        subjects=(SERVER, RELAY),
        does="a request that asks the server to close; then the client closes too",
        client_end=PASSIVE,
        server_end=ACTIVE,
        explanation=(
            "The mirrored baseline. The answer says that the connection ends, the server sends FIN "
            "behind its last byte, the client reads all and closes. A reset in the place of the FIN "
            "can destroy the end of the answer on its way."
        ),
        rests_on="RFC 9293 section 3.6, case 1; RFC 9112 section 9.6",
    ),
    Scenario(
        name="data-after-fin",
        title="Bytes after both ways are closed",
        subjects=(SERVER, RELAY),
        does="the client goes on sending after the server has closed",
        client_end="RST",
        server_end="it survives, and answers the next client",
        explanation=(
            "A server has closed its socket; bytes that still come meet a reset, and the next write "
            "behind it fails with EPIPE or raises SIGPIPE. Programs and relays that do not expect "
            "this have crashed, or have dropped everybody else's connection too."
        ),
        rests_on="RFC 9293 section 3.5.2, group 1, and section 3.6.1 (SHLD-3)",
        incidents=("redis/redis#7694", "jetty/jetty.project#2169"),
    ),
    Scenario(
        name="time-wait-side",
        title="Who is left with TIME-WAIT",
        subjects=(SERVER,),
        does="exchanges in each of which the server is asked to close first",
        client_end="no TIME-WAIT",
        server_end="all sockets in TIME-WAIT",
        explanation=(
            "Whoever sends the first FIN keeps the connection's addresses for a minute. At a server "
            "that costs a little memory; at a client or relay it uses up the ports towards one "
            "address, until connecting fails with EADDRNOTAVAIL. A server that was asked to close "
            "has to be the one."
        ),
        rests_on="RFC 9293 section 3.6.1 (MUST-13); ip-sysctl: tcp_tw_reuse, ip_local_port_range",
        incidents=("haproxy/haproxy#136", "TechEmpower/FrameworkBenchmarks#4092", "envoyproxy/envoy#7961"),
        parameters=(Parameter("cycles", 10, "connections, one after the other"),),
    ),
)
