"""Scenarios in which a FIN segment itself is kept out, so that a closing state lasts. Data only."""

from typing import Final

from harness.scenarios.catalogue.closes import ACTIVE
from harness.scenarios.scenario import RELAY, SERVER, WIRE, Parameter, Scenario

_HOLD = ("server.fin -> hold at wire",)

HELD: Final = (
    Scenario(
        name="stuck-fin-wait1",
        title="The first FIN is not acknowledged",
        subjects=(SERVER, RELAY),
        rules=_HOLD,
        does="the server closes first, its FIN is kept out; it is asked to end; then the FIN is let in",
        client_end="every byte, then FIN",
        server_end="ESTABLISHED > FIN-WAIT-1",
        explanation=(
            "A peer that does not read, or a network that is gone, leaves the closer in FIN-WAIT-1. "
            "The kernel goes on by itself after the process has exited, for tcp_orphan_retries "
            "attempts. A server must not wait for it when it is asked to end; a relay whose client "
            "reads slowly must not lose what waits in front of its FIN."
        ),
        rests_on="RFC 9293 section 3.6; ip-sysctl: tcp_orphan_retries",
        incidents=("benoitc/gunicorn#2529",),
        needs=(WIRE,),
    ),
    Scenario(
        name="stuck-last-ack",
        title="The second FIN is not acknowledged",
        subjects=(SERVER,),
        rules=_HOLD,
        does="the client closes first, the server's FIN is kept out; it is asked to end, and started again",
        client_end="FIN, once it is let in",
        server_end="ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED",
        explanation=(
            "The passive closer has done all it can and waits in LAST-ACK for the last "
            "acknowledgement. close() has to have returned, the process has to be able to end, and "
            "its successor to listen on the same port though the old connection is still there."
        ),
        rests_on="RFC 9293 section 3.6, case 2; socket(7): SO_REUSEADDR",
        needs=(WIRE,),
    ),
    Scenario(
        name="simultaneous-close",
        title="Both ends close at once",
        subjects=(SERVER,),
        rules=_HOLD,
        does="the server's FIN is kept out until the client's has come in: they cross",
        client_end=ACTIVE,
        server_end="ESTABLISHED > FIN-WAIT-1 > CLOSING > TIME-WAIT",
        explanation=(
            "Both have sent a FIN before they saw the other's: each goes through CLOSING to TIME- "
            "WAIT. It is rare enough that nobody tests it, and it happens each time that an idle "
            "timer and a client agree."
        ),
        rests_on="RFC 9293 section 3.6, case 3, and figure 13",
        needs=(WIRE,),
    ),
    Scenario(
        name="lost-fin",
        title="The client's FIN is lost for a while",
        subjects=(SERVER,),
        rules=("client.fin -> hold {lost:g}s at wire",),
        does="the client closes; its FIN segments are kept out for a while, then one comes in",
        client_end=ACTIVE,
        server_end="ESTABLISHED while the FIN is lost, then it closes",
        explanation=(
            "The client is in FIN-WAIT-1 and sends its FIN again and again, the server knows nothing "
            "of it. When the network heals the server has to close as if nothing had been; if its "
            "idle timer is shorter than the outage, it may have closed before."
        ),
        rests_on="RFC 6298 section 5; RFC 9293 section 3.8.1",
        incidents=("redis/redis-py#1186",),
        parameters=(Parameter("lost", 0.5, "seconds for which the FIN is lost"),),
        needs=(WIRE,),
    ),
    Scenario(
        name="lost-last-ack",
        title="The last acknowledgement is lost for a while",
        subjects=(SERVER,),
        rules=_HOLD,
        does="the client closes first; the server's FIN gets no acknowledgement until it was sent again",
        client_end="FIN, once it is let in",
        server_end="ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED",
        explanation=(
            "What TIME-WAIT is for: the last acknowledgement was lost, and the passive closer sends "
            "its FIN again. Meanwhile its process must have let go of the socket and must serve "
            "others, and the connection has to be gone once the network has healed."
        ),
        rests_on="RFC 9293 section 3.6.1 (TIME-WAIT) and section 3.8.1",
        needs=(WIRE,),
    ),
)
