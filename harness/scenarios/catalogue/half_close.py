"""Scenarios in which one flow has ended and the other one goes on. Data only."""

from typing import Final

from harness.scenarios.scenario import CLIENT, RELAY, SERVER, Parameter, Scenario

_ANSWER_DELAY = Parameter(
    "answer_delay", 0.0, "seconds between the client's FIN and the answer", (0.0, 0.3, 1.0)
)

HALF_CLOSE: Final = (
    Scenario(
        name="half-close-request",
        title="The client half-closes behind its request",
        subjects=(SERVER, RELAY),
        does="the client half-closes right behind its request",
        client_end="the whole answer, then FIN",
        server_end="it answers though the client has half-closed",
        explanation=(
            "A FIN says that no more bytes come, not that none are wanted: programs that send a "
            "request, half-close and read the answer have been written for forty years. Servers that "
            "take end of file for a lost client abort the answer; relays that close both ways on the "
            "first end of file lose it. Many of them only do when the answer takes a moment, hence "
            "the delays."
        ),
        rests_on="RFC 9293 section 3.6 (a closing user continues to receive); RFC 9112 section 9.6",
        incidents=(
            "moby/moby#27539",
            "envoyproxy/envoy#2066",
            "Kludex/uvicorn#1264",
            "lima-vm/lima#5329",
            "kubernetes/kubernetes#8766",
        ),
        parameters=(_ANSWER_DELAY,),
    ),
    Scenario(
        name="half-close-swallowed",
        title="The client's FIN comes late, behind the answer",
        subjects=(SERVER,),
        rules=("client.fin -> hold",),
        does="the client half-closes behind its request; the FIN is held until the answer is there",
        client_end="the whole answer, then FIN",
        server_end="ESTABLISHED while the FIN is held; it closes once the FIN is let go",
        explanation=(
            "Load balancers and connection trackers forget half-closed connections or keep the FIN "
            "to themselves. A server whose protocol ends requests by their own framing must answer "
            "without it, and must notice the FIN when it comes at last."
        ),
        rests_on="RFC 9112 section 6.3 (message length) and section 9.6",
        incidents=("moby/moby#29655", "kubernetes/kubernetes#32551"),
    ),
    Scenario(
        name="half-close-response",
        title="The server's flow has ended, the client's goes on",
        subjects=(SERVER, RELAY),
        does="the server ends its flow behind its answer; the client goes on sending before it closes",
        client_end="ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED",
        server_end="FIN-WAIT-2 while the client's bytes still come",
        explanation=(
            "The other half: the server has said all, the client has not. A relay has to carry the "
            "client's bytes on, as SMTP, FTP and tunnels need it. A server may still read them or "
            "may have closed both ways, and then a reset tells the client that its bytes were lost; "
            "both are allowed, and which one it does is reported. What it must not do is keep the "
            "socket when both flows have ended."
        ),
        rests_on="RFC 9293 section 3.6 and section 3.6.1 (half-duplex close, SHLD-3)",
        incidents=("wolfSSL/wolfssh#1195", "hierynomus/sshj#1050", "hyperium/hyper#3078"),
    ),
    Scenario(
        name="half-close-as-abort",
        title="A relay between closes both ways when the client half-closes",
        subjects=(CLIENT,),
        rules=("client.fin -> full-close",),
        does="the client half-closes behind its request; whoever is between ends both flows at once",
        client_end="the client reports an error, not an empty answer",
        server_end="-",
        explanation=(
            "Many relays answer the first end of file by closing both ways. A client that half- "
            "closes behind its request then reads end of file and no byte. To take that for an empty "
            "answer loses data in silence; ssh, docker and nc have done so."
        ),
        rests_on="RFC 9112 section 8: a message that ends before its header is incomplete",
        incidents=("moby/moby#27539", "lima-vm/lima#5264", "nmap/nmap#2510"),
        parameters=(Parameter("wait", 1.0, "seconds that the server waits for the client's FIN"),),
    ),
)
