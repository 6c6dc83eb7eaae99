"""Scenarios that show who goes on holding what is over. Data only."""

from typing import Final

from harness.scenarios.scenario import CLIENT, RELAY, SERVER, Parameter, Scenario

LEAKS: Final = (
    Scenario(
        name="fin-never-comes",
        title="The client never closes",
        subjects=(SERVER,),
        does="a request that asks the server to close; the client never closes",
        client_end="CLOSE-WAIT, for ever",
        server_end="its fd is released: no FIN-WAIT-2 that a process holds",
        explanation=(
            "The server has sent its FIN; the client acknowledges it and never sends its own. While "
            "a process holds the socket no timer ends FIN-WAIT-2: a server that waits for the "
            "client's FIN without a limit collects such sockets, or has its workers blocked by them. "
            "Once the fd is released the kernel ends it after tcp_fin_timeout."
        ),
        rests_on="RFC 9293 section 3.6; ip-sysctl: tcp_fin_timeout (orphaned sockets only)",
        incidents=("nodejs/node-v0.x-archive#3613", "envoyproxy/envoy#41086", "irrdnet/irrd#607"),
    ),
    Scenario(
        name="close-wait-budget",
        title="How many sockets are left in CLOSE-WAIT",
        subjects=(SERVER, CLIENT, RELAY),
        does="connections, one after the other, that the subject's peer closes first",
        client_end="-",
        server_end="-",
        explanation=(
            "CLOSE-WAIT means: the peer has closed, the program has not. No timer ends it. One "
            "socket more for each connection is the commonest leak of all, found when the "
            "descriptors are used up. A client that asks one after the other may keep one such "
            "socket in its pool; a server and a relay none, once their peers have closed."
        ),
        rests_on="RFC 9293 section 3.6, case 2; section 3.3.2, CLOSE-WAIT",
        incidents=("urllib3/urllib3#2100", "haproxy/haproxy#541", "moby/libnetwork#2465"),
        parameters=(
            Parameter("cycles", 5, "connections"),
            Parameter("budget", 1, "sockets that a client may keep in CLOSE-WAIT"),
        ),
    ),
)
