"""What `finproxy rules` prints: every trigger and action, what it means, and an example of each.

Only words: this module must not know how any of it is done. A test reads each example with the parser.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One word of the notation."""

    spelling: str
    meaning: str
    example: str


NOTATION = "LEG.TRIGGER -> ACTION [at wire] [@PROBABILITY]"

INTRODUCTION = (
    "LEG is client, server or any: whose act triggers the rule. The first rule that matches wins; without "
    "one, FIN is relayed as FIN and RST as RST. D is 250ms, 2s, 1m30s; N is 1000, 64KiB. @0.1: in one "
    "session of ten, drawn once a session for each rule; --seed repeats a run."
)

TRIGGERS = (
    Entry("fin", "that endpoint ended its flow with a FIN", "client.fin -> hold"),
    Entry("reset", "that endpoint sent a RST", "server.reset -> fin"),
    Entry("connect", "the session is established", "any.connect -> reset @0.05"),
    Entry("bytes N", "that endpoint has sent N bytes; once, exactly at byte N", "server.bytes 1000 -> reset"),
    Entry("after D", "D after the session opened", "client.after 30s -> blackhole"),
    Entry("idle D", "D without a byte from that endpoint", "client.idle 5s -> full-close"),
)

ACTIONS = (
    Entry("relay", "FIN as FIN, RST as RST, after every byte before it", "client.fin -> relay"),
    Entry("delay D[~J]", "the same, D later, give or take up to J", "server.fin -> delay 2s~200ms"),
    Entry("hold [D]", "nothing until it is released, or for D at most", "client.fin -> hold 10s"),
    Entry("drop", "nothing, ever: the receiver believes the sender is alive", "client.fin -> drop"),
    Entry("reorder", "this FIN only after the opposite flow's FIN was relayed", "client.fin -> reorder"),
    Entry(
        "simultaneous", "both FINs wait until both have come, then leave together", "any.fin -> simultaneous"
    ),
    Entry(
        "fin",
        "a FIN now, though the endpoint has not closed; later bytes are lost",
        "server.bytes 64KiB -> fin",
    ),
    Entry(
        "truncate N",
        "a FIN in place of the last N bytes; the newest N wait until then",
        "server.fin -> truncate 10",
    ),
    Entry(
        "overtake [D]",
        "only at wire: data waits up to D (50ms), the FIN does not",
        "client.fin -> overtake at wire",
    ),
    Entry("reset", "RST, to both ends, after every byte before it", "server.fin -> reset"),
    Entry(
        "full-close", "both flows end at once, as in a proxy without half-close", "client.fin -> full-close"
    ),
    Entry(
        "blackhole", "no byte and no FIN moves any more; both legs stay open", "client.bytes 1 -> blackhole"
    ),
)

FOOTNOTE = (
    "connect, bytes, after and idle are moments. Fired before the end has come, relay, delay, hold, drop, "
    "reorder and simultaneous wait for it: 'client.bytes 100 -> drop' drops the FIN of a client that has "
    "sent 100 bytes. What is held is let go by 'finproxy release', the API (/v1/proxies/PROXY/release) or "
    "the library; SIGUSR1 lets go all of it."
)
