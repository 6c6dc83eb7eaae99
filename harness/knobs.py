"""The kernel settings that change how connections end: two machines differ by these.

Data and one reader; every report records them. Meanings: the kernel's Documentation/networking/ip-sysctl.rst.
They are per network namespace. This module must not judge values.
"""

from dataclasses import dataclass

from harness.sources import sysctl


@dataclass(frozen=True, slots=True)
class Knob:
    """A setting: its sysctl name, what it changes, and its value here (None: this system has none such)."""

    name: str
    meaning: str
    value: str | None


_MEANINGS = {
    "net.ipv4.tcp_fin_timeout": "seconds an orphan may stay in FIN-WAIT-2 (with an owner there is no limit)",
    "net.ipv4.tcp_orphan_retries": "retries of an orphan's FIN in FIN-WAIT-1, CLOSING, LAST-ACK; 0 means 8",
    "net.ipv4.tcp_retries2": "retries of data or a FIN while somebody holds the socket",
    "net.ipv4.tcp_max_orphans": "orphans allowed at once; above, they are reset",
    "net.ipv4.tcp_max_tw_buckets": "TIME-WAIT rows allowed at once; above, sockets skip TIME-WAIT",
    "net.ipv4.tcp_tw_reuse": "whether a new connection may take over a TIME-WAIT's ports; 2: on loopback",
    "net.ipv4.tcp_rfc1337": "whether TIME-WAIT ignores an RST (1) or is ended by it (0)",
    "net.ipv4.tcp_abort_on_overflow": "whether a full accept queue answers with RST (1) or with silence (0)",
    "net.ipv4.tcp_keepalive_time": "seconds of silence before keepalive probes begin, where they are on",
    "net.ipv4.tcp_syn_retries": "retries of a SYN before connect fails",
    "net.core.somaxconn": "upper limit of a listener's accept queue",
    "net.ipv4.ip_local_port_range": "ports that outgoing connections may take, TIME-WAIT included",
}


def read_knobs() -> tuple[Knob, ...]:
    """Return all knobs with their values in this network namespace."""
    return tuple(Knob(name, meaning, sysctl.read(name)) for name, meaning in _MEANINGS.items())
