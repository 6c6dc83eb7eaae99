"""Which connection an IP packet belongs to, and whether it carries FIN: the little that NFQUEUE needs to read.

Role: bytes in, `Segment` out; pure. It must not know queues or sockets. IPv6 extension headers are not
walked: TCP between two hosts is sent without them, and what is not understood is let through.
"""

import ipaddress
import struct
from dataclasses import dataclass

Address = tuple[str, int]
"""IP address in its canonical spelling, port."""

_TCP = 6


@dataclass(frozen=True, slots=True)
class Segment:
    """The head of one TCP segment."""

    source: Address
    destination: Address
    fin: bool


def parse(packet: bytes) -> Segment | None:
    """Return the head of the TCP segment in this IPv4 or IPv6 packet, or None if there is none to be read."""
    if packet[:1] and packet[0] >> 4 == 4:
        return _segment(packet, packet[9], packet[12:16], packet[16:20], (packet[0] & 15) * 4)
    if packet[:1] and packet[0] >> 4 == 6:
        return _segment(packet, packet[6], packet[8:24], packet[24:40], 40)
    return None


def canonical(address: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    """Return what `parse` would say for a socket's address: no scope, and IPv4 that came through IPv6 as IPv4."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip), address[1]


def _segment(packet: bytes, protocol: int, source: bytes, destination: bytes, start: int) -> Segment | None:
    if protocol != _TCP or len(packet) < start + 14:
        return None
    source_port, destination_port = struct.unpack_from("!HH", packet, start)
    return Segment(
        (str(ipaddress.ip_address(source)), source_port),
        (str(ipaddress.ip_address(destination)), destination_port),
        fin=bool(packet[start + 13] & 0x01),
    )
