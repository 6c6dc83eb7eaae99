"""Addresses as people write them: ``9000``, ``db.internal:5432``, ``[::1]:8080``.

This module must not resolve names or open anything.
"""

from __future__ import annotations

import re

from .errors import UsageError
from .legs import Address

LOOPBACK = "127.0.0.1"


class AddressError(UsageError):
    """A text that is not an address."""


def parse_listen(text: str, host: str = LOOPBACK) -> Address:
    """Where to listen: a bare port is on the loopback interface or `host`, port 0 lets the kernel choose.

    Raises:
        AddressError: with what was expected and what was found.
    """
    return _parse(f"{host}:{text}" if text.isdigit() else text, text, lowest_port=0)


def parse_upstream(text: str) -> Address:
    """Where to connect to; a bare port is on the loopback interface.

    Raises:
        AddressError: with what was expected and what was found.
    """
    return _parse(f"{LOOPBACK}:{text}" if text.isdigit() else text, text, lowest_port=1)


def format_address(address: Address) -> str:
    """``127.0.0.1:80``, ``[::1]:80``."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _parse(full: str, text: str, lowest_port: int) -> Address:
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:\[\]/]+)):(\d{1,9})", full)
    if match is None:
        raise AddressError(f"expected PORT, HOST:PORT or [IPv6]:PORT, found '{text}'{_hint(text)}")
    port = int(match[3])
    if not lowest_port <= port <= 65535:
        raise AddressError(f"expected a port from {lowest_port} to 65535, found {port} in '{text}'")
    return match[1] or match[2], port


def _hint(text: str) -> str:
    if text.count(":") > 1:
        return "; an IPv6 address goes in brackets, as in [::1]:8080"
    if text.startswith(":"):
        return f"; to listen on every interface write 0.0.0.0{text}"
    if "://" in text:
        return "; without a scheme"
    return ""
