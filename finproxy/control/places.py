"""Where a proxy listens and leads to, as users of the API write it.

Names are resolved here, in a thread, before anything is bound: a slow name server delays nobody else. This
module must not know proxies.
"""

from __future__ import annotations

import socket

from .. import sockets
from ..addresses import LOOPBACK, AddressError, parse_listen, parse_upstream
from ..legs import Address
from ..sockets import ListenError

_ANYWHERE = "0.0.0.0"  # only where somebody has asked for it, with ':PORT'


async def listening_place(text: str, host: str) -> Address:
    """The address that a text stands for: numbers, ready to be bound.

    Nothing is a free port on `host`, a port is that one, and ``:9000`` is every interface, as in Toxiproxy.

    Raises:
        AddressError: the text is not an address.
        ListenError: the name in it stands for nothing here.
    """
    address = _parse(text, host)
    try:
        places = await sockets.resolve(address)
    except sockets.DialError as error:
        raise ListenError(f"cannot listen on {text}: {error}") from error
    # IPv4 first: that is what 'localhost' means to most programs that will be told this address.
    _, where = min(places, key=lambda place: place[0] != socket.AF_INET)
    return where[0], where[1]


def check_listen(text: str) -> None:
    """See that a text can be an address to listen on, whatever it stands for.

    Raises:
        AddressError: it cannot.
    """
    _parse(text, LOOPBACK)


def _parse(text: str, host: str) -> Address:
    return parse_listen(f"{_ANYWHERE}{text}" if text.startswith(":") else text or "0", host)


def upstream_place(text: str) -> Address:
    """Where a proxy leads to. What is no address leads nowhere: each connection is refused, and says why."""
    try:
        return parse_upstream(text)
    except AddressError:
        return text, 0
