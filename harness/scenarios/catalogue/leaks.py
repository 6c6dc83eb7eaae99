"""Scenarios that show who goes on holding what is over. Data only."""

from typing import Final

from harness.scenarios.scenario import SERVER, Scenario

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
)
