"""The lines of trace_pipe: text to kernel events and back to nothing else.

Formats: events/sock/inet_sock_set_state/format and events/tcp/*/format under tracefs. This module must not
open anything, so that it can be tested on captured lines on any system.
"""

import re
from collections.abc import Iterator

from harness.rows import Address, Endpoint
from harness.states import TRACEPOINT
from harness.transitions import KernelEvent, SegmentEvent, StateChange

_SOURCE = "tracepoint"
# The command in front may contain anything, so the line is recognised by what follows it.
_LINE = re.compile(r"\s(?P<at>\d+\.\d+): (?P<event>inet_sock_set_state|tcp_\w+): (?P<fields>.*)$")
_FIELD = re.compile(r"(\w+)=(\S+)")
_LOST = re.compile(r"\[LOST (\d+) EVENTS\]")


def parse(text: str) -> Iterator[KernelEvent]:
    """Yield the events in `text`, complete lines only. Lines about anything but TCP endpoints are skipped."""
    for line in text.splitlines():
        found = _LINE.search(line)
        if found is not None:
            event = _event(found["event"], float(found["at"]), dict(_FIELD.findall(found["fields"])))
            if event is not None:
                yield event


def count_lost(text: str) -> int:
    """Return how many events the kernel says it dropped."""
    return sum(int(number) for number in _LOST.findall(text))


def _event(name: str, at: float, fields: dict[str, str]) -> KernelEvent | None:
    if name == "inet_sock_set_state":
        return _state_change(at, fields)
    if name == "tcp_send_reset":
        return _reset_sent(at, fields)
    if name == "tcp_receive_reset":
        return SegmentEvent("reset received", _endpoint(fields), at, _SOURCE)
    if name == "tcp_retransmit_skb":
        return SegmentEvent("retransmission", _endpoint(fields), at, _SOURCE)
    return None


def _state_change(at: float, fields: dict[str, str]) -> StateChange | None:
    before, after = TRACEPOINT.get(fields["oldstate"]), TRACEPOINT.get(fields["newstate"])
    # MPTCP and SCTP sockets use the same tracepoint; a listener or an unconnected socket is no endpoint.
    unconnected = fields["sport"] == "0" or fields["dport"] == "0"
    if fields["protocol"] != "IPPROTO_TCP" or before is None or after is None or unconnected:
        return None
    return StateChange(_endpoint(fields), before, after, at, _SOURCE)


def _endpoint(fields: dict[str, str]) -> Endpoint:
    # A dual-stack socket says AF_INET6; saddrv6 then holds the v4-mapped address.
    suffix = "v6" if fields["family"] == "AF_INET6" else ""
    return Endpoint(
        Address.of((fields["saddr" + suffix], fields["sport"])),
        Address.of((fields["daddr" + suffix], fields["dport"])),
    )


def _reset_sent(at: float, fields: dict[str, str]) -> SegmentEvent:
    # A listener that refuses a segment has no peer here (dest is 0.0.0.0:0): such an RST is of no endpoint's.
    endpoint = Endpoint(_address(fields["src"]), _address(fields["dest"]))
    return SegmentEvent("reset sent", endpoint, at, _SOURCE, fields.get("reason", ""))


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return Address.of((host.strip("[]"), port))
