"""The messages of Linux's sock_diag netlink protocol: bytes to values and back, nothing else.

Layouts are those of include/uapi/linux/{netlink,sock_diag,inet_diag}.h; manual page sock_diag(7). This
module must not open a socket, so that it can be tested on captured bytes on any system.
"""

import errno
import os
import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from harness import states
from harness.errors import SourceUnavailableError
from harness.rows import Address, Endpoint, SocketRow, Timer

NETLINK_SOCK_DIAG = 4
NLMSG_ERROR, NLMSG_DONE = 2, 3
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
# The protocol's numbers, which are Linux's; socket.AF_INET6 has other values elsewhere.
AF_INET, AF_INET6, IPPROTO_TCP = 2, 10, 6

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
_REQUEST = struct.Struct("=BBBxI")  # inet_diag_req_v2 up to its socket id
_ID = struct.Struct("!HH16s16s")  # inet_diag_sockid: ports and addresses are in network order
_ID_TAIL = struct.Struct("=III")  # interface, cookie (two halves)
_ROW = struct.Struct("=BBBB48sIIIII")  # inet_diag_msg
_FILTER = struct.Struct("=BBH")  # inet_diag_bc_op
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")

_NO_COOKIE = 0xFFFFFFFF
_ALL_STATES = 0xFFFFFFFF
_TIME_WAIT = 1 << 6  # TCP_TIME_WAIT of include/net/tcp_states.h
_BYTECODE_ATTRIBUTE = 1  # INET_DIAG_REQ_BYTECODE
_TCP_INFO_ATTRIBUTE = 2  # INET_DIAG_INFO
_WITH_TCP_INFO = 1 << (_TCP_INFO_ATTRIBUTE - 1)
_LAST_ACK_RECEIVED = struct.Struct("=56xI")  # tcpi_last_ack_recv in struct tcp_info, milliseconds
_JUMP, _SOURCE_EQUALS, _DESTINATION_EQUALS = 1, 11, 12
_TIMERS = {1: "retransmit", 2: "keepalive", 3: "time-wait", 4: "zero-window probe"}


def family_of(endpoint: Endpoint) -> int:
    """Return the family to ask for. IPv4 also finds the IPv6 sockets that carry v4-mapped addresses."""
    return AF_INET6 if ":" in endpoint.local.host else AF_INET


def request_one(endpoint: Endpoint, sequence: int) -> bytes:
    """Ask for the socket of exactly these two addresses: a hash look-up, whatever the table's size."""
    body = _REQUEST.pack(family_of(endpoint), IPPROTO_TCP, 0, _ALL_STATES) + _socket_id(endpoint)
    return _message(body, NLM_F_REQUEST, sequence)


def request_dump(family: int, sequence: int, port: int | None = None, *, time_wait: bool = True) -> bytes:
    """Ask for all TCP sockets of a family: with `port` on either end if given, in TIME-WAIT or not."""
    asked = _ALL_STATES if time_wait else _ALL_STATES & ~_TIME_WAIT
    body = _REQUEST.pack(family, IPPROTO_TCP, _WITH_TCP_INFO, asked) + bytes(48)
    if port is not None:
        program = _either_port_is(port)
        body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(program), _BYTECODE_ATTRIBUTE) + program
    return _message(body, NLM_F_REQUEST | NLM_F_DUMP, sequence)


def parse(datagram: bytes, sequence: int) -> Iterator[SocketRow | None]:
    """Yield the rows of one netlink datagram that answers `sequence`; None marks the end of a dump.

    Answers to other requests are skipped: an earlier look that was given up may have left them in the
    queue. Raises SourceUnavailableError for an error message other than "no such socket", which is an end
    without rows.
    """
    offset = 0
    while offset + _HEADER.size <= len(datagram):
        length, kind, _flags, answered, _port = _HEADER.unpack_from(datagram, offset)
        if length < _HEADER.size:
            raise SourceUnavailableError(
                f"sock_diag: expected a netlink message of at least {_HEADER.size} bytes, found {length}; "
                "use another source (psutil, procfs)"
            )
        if answered == sequence:
            yield _parse_message(kind, datagram[offset + _HEADER.size : offset + length])
        offset += (length + 3) & ~3


def _parse_message(kind: int, body: bytes) -> SocketRow | None:
    if kind == SOCK_DIAG_BY_FAMILY:
        return parse_row(body)
    if kind == NLMSG_ERROR:
        number = -_ERROR.unpack_from(body)[0]
        if number not in {0, errno.ENOENT}:
            raise SourceUnavailableError(
                f"sock_diag: expected rows, found the error {os.strerror(number)}; "
                "load the kernel modules tcp_diag and inet_diag or use another source (psutil, procfs)"
            )
    return None


def parse_row(body: bytes) -> SocketRow:
    """Decode one inet_diag_msg with the attributes behind it."""
    family, state, timer, retransmits, socket_id, expires, received, unsent, uid, inode = _ROW.unpack_from(
        body
    )
    local_port, remote_port, local, remote = _ID.unpack_from(socket_id)
    _interface, low, high = _ID_TAIL.unpack_from(socket_id, _ID.size)
    width = 4 if family == AF_INET else 16
    return SocketRow(
        endpoint=Endpoint(_address(local[:width], local_port), _address(remote[:width], remote_port)),
        state=states.KERNEL[state],
        source="sock_diag",
        inode=inode,
        cookie=high << 32 | low,
        uid=uid,
        receive_queue=received,
        send_queue=unsent,
        # idiag_expires is in milliseconds (sock_diag(7)).
        timer=Timer(_TIMERS[timer], expires / 1000, retransmits) if timer in _TIMERS else None,
        silent_for=_silent_for(body),
    )


def _silent_for(body: bytes) -> float | None:
    offset = _ROW.size
    while offset + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        info = body[offset + _ATTRIBUTE.size : offset + length]
        if kind == _TCP_INFO_ATTRIBUTE and len(info) >= _LAST_ACK_RECEIVED.size:
            return float(_LAST_ACK_RECEIVED.unpack_from(info)[0]) / 1000
        offset += max((length + 3) & ~3, _ATTRIBUTE.size)
    return None


def _address(packed: bytes, port: int) -> Address:
    return Address.of((str(ip_address(packed)), port))


def _message(body: bytes, flags: int, sequence: int) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, flags, sequence, 0) + body


def _socket_id(endpoint: Endpoint) -> bytes:
    local, remote = (ip_address(address.host).packed.ljust(16, b"\0") for address in _ends(endpoint))
    ports = _ID.pack(endpoint.local.port, endpoint.remote.port, local, remote)
    return ports + _ID_TAIL.pack(0, _NO_COOKIE, _NO_COOKIE)


def _ends(endpoint: Endpoint) -> Iterable[Address]:
    return endpoint.local, endpoint.remote


def _either_port_is(port: int) -> bytes:
    # A jump that lands exactly on the end accepts the row, one that lands four bytes behind it rejects it.
    # "Equals" takes its port from the `no` field of a second instruction.
    return b"".join(
        (
            _FILTER.pack(_SOURCE_EQUALS, 8, 12),
            _FILTER.pack(0, 0, port),
            _FILTER.pack(_JUMP, 4, 12),
            _FILTER.pack(_DESTINATION_EQUALS, 8, 12),
            _FILTER.pack(0, 0, port),
        )
    )
