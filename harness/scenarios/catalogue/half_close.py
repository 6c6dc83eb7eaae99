"""Scenarios in which one flow has ended and the other one goes on. Data only."""

from typing import Final

from harness.scenarios.scenario import RELAY, SERVER, Parameter, Scenario

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
)
