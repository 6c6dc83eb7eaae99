"""What an operating system's socket table says: endpoints, rows, owners, one look at the table.

Values only, all frozen. This module must not know where rows come from (sources/) nor what a sequence of
them means (watching/).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple, Protocol

from harness.errors import UsageError
from harness.states import TcpState


@lru_cache(maxsize=4096)
def _plain_host(host: str) -> str:
    parsed = ip_address(host.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


class Address(NamedTuple):
    """One end's address: host is a numeric IP address (v4-mapped IPv6 written as IPv4), port an integer."""

    host: str
    port: int

    @classmethod
    def of(cls, raw: tuple[object, ...]) -> "Address":
        """Normalise (host, port, ...), as getsockname() returns it, so that equal addresses compare equal.

        A dual-stack socket shows its IPv4 peer as ::ffff:127.0.0.1 while the peer calls itself 127.0.0.1;
        without one spelling the two ends of a connection would never be recognised as such. The scope of a
        link-local address (%eth0) is dropped: tables do not show it.
        """
        try:
            return cls(_plain_host(str(raw[0])), int(str(raw[1])))
        except (IndexError, ValueError):
            raise UsageError(
                f"expected an address (numeric IP, port), found {raw!r}; "
                "give what getsockname() or getpeername() return"
            ) from None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class HasAddresses(Protocol):
    """Anything that knows the two addresses of a connection as one of its ends sees them."""

    @property
    def local(self) -> tuple[object, ...]: ...  # noqa: D102 - the class says it

    @property
    def remote(self) -> tuple[object, ...]: ...  # noqa: D102


RawEndpoint = HasAddresses | tuple[tuple[object, ...], tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of one connection: its own address and its peer's. Tables are searched by exactly this."""

    local: Address
    remote: Address

    @classmethod
    def of(cls, raw: "Endpoint | RawEndpoint") -> "Endpoint":
        """Accept an Endpoint, anything with `.local` and `.remote`, or ((host, port), (host, port)).

        Raises:
            UsageError: none of these, or an address that is not (numeric IP, port).

        """
        if isinstance(raw, Endpoint):
            return raw
        if isinstance(raw, tuple) and len(raw) == 2:
            return cls(Address.of(raw[0]), Address.of(raw[1]))
        if hasattr(raw, "local") and hasattr(raw, "remote"):
            return cls(Address.of(raw.local), Address.of(raw.remote))
        raise UsageError(
            f"expected an endpoint, found {raw!r}; give something with .local and .remote, "
            "or ((local host, port), (remote host, port))"
        )

    @property
    def peer(self) -> "Endpoint":
        """The same connection seen from its other end."""
        return Endpoint(self.remote, self.local)

    def __str__(self) -> str:
        return f"{self.local} > {self.remote}"


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a socket's file descriptor."""

    pid: int
    program: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.program}[{self.pid}]"


@dataclass(frozen=True, slots=True)
class Timer:
    """The kernel timer that runs on a socket: what for, seconds until it fires, expiries so far."""

    kind: str
    expires_in: float
    retransmits: int

    def __str__(self) -> str:
        tried = f", {self.retransmits} tried" if self.retransmits else ""
        return f"{self.kind} {self.expires_in:.1f}s{tried}"


@dataclass(frozen=True, slots=True)
class SocketRow:
    """One row of a socket table. None means that the source does not show this field, never zero.

    `receive_queue` is bytes received and not read by the application; `send_queue` is bytes sent or queued
    and not acknowledged by the peer (a FIN counts as one); for a listener, the accept queue and its limit.
    `inode` is 0 for a socket without a file descriptor: an orphan, a TIME-WAIT, a connection not accepted
    yet. `cookie` tells two sockets apart that had the same addresses one after the other. `silent_for` is
    seconds since the peer's last segment, its FIN included: how long a closing state has lasted.
    """

    endpoint: Endpoint
    state: TcpState
    source: str
    inode: int | None = None
    cookie: int | None = None
    uid: int | None = None
    receive_queue: int | None = None
    send_queue: int | None = None
    timer: Timer | None = None
    owner: Owner | None = None
    silent_for: float | None = None

    @property
    def is_orphan(self) -> bool:
        """Whether no process holds this socket any more (a TIME-WAIT row never has one: not counted)."""
        held_back = (TcpState.TIME_WAIT, TcpState.SYN_RECEIVED, TcpState.LISTEN)
        return self.inode == 0 and self.state not in held_back


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at some endpoints. An endpoint whose value is None had no row: CLOSED, or never here.

    `began` and `ended` are seconds of the monotonic clock: a row was in its state at some moment between
    them.
    """

    source: str
    began: float
    ended: float
    rows: Mapping[Endpoint, SocketRow | None]
