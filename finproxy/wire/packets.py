"""Which connection an IP packet belongs to: all that a queue of FIN segments needs to read.

Role: bytes in, addresses out; pure. It must not know queues or sockets. IPv6 extension headers are not
walked: TCP between two hosts is sent without them, and what is not understood is let through.
"""

import ipaddress
import struct

Address = tuple[str, int]
"""IP address in its canonical spelling, port."""

Pair = tuple[Address, Address]
"""Remote and local address of a leg; source and destination of a segment that arrives on it."""

_TCP = 6


def parse(packet: bytes) -> Pair | None:
    """Return source and destination of the TCP segment in this IP packet, or None if it cannot be read.

    Source: RFC 791, section 3.1 (IPv4); RFC 8200, section 3 (IPv6).
    """
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        return _pair(packet, packet[9], packet[12:16], packet[16:20], (packet[0] & 15) * 4)
    if version == 6 and len(packet) >= 40:
        return _pair(packet, packet[6], packet[8:24], packet[24:40], 40)
    return None


def carries_data(packet: bytes) -> bool:
    """Return whether the TCP segment in this IP packet, which `parse` can read, carries data.

    Only headers are looked at: the packet may have been cut behind them. Source: RFC 791, section 3.1; RFC
    8200, section 3; RFC 9293, section 3.1.
    """
    if packet[0] >> 4 == 4:
        start, total = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
    else:
        start, total = 40, 40 + int.from_bytes(packet[4:6], "big")
    return total > start + (packet[start + 12] >> 4) * 4


def canonical(address: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    """Return what `parse` would say for a socket's address: no scope id, mapped IPv4 as IPv4."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip), address[1]


def _pair(packet: bytes, protocol: int, source: bytes, destination: bytes, start: int) -> Pair | None:
    if protocol != _TCP or len(packet) < start + 4:
        return None
    source_port, destination_port = struct.unpack_from("!HH", packet, start)
    return (
        (str(ipaddress.ip_address(source)), source_port),
        (str(ipaddress.ip_address(destination)), destination_port),
    )
