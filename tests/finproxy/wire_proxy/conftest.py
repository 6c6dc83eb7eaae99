"""Each technique that works on this machine; nfqueue in a network of its own, whose firewall is its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from functools import cache

import pytest

from finproxy.wire.choice import TECHNIQUES
from finproxy.wire.technique import Probe
from tests.finproxy.wire.kernel import network_namespace

HOSTS = {"ipv4": "127.0.0.1", "ipv6": "::1"}


@cache
def _probe(name: str) -> Probe:
    (kind,) = (kind for kind in TECHNIQUES if kind.name == name)
    return kind().probe()


def _skip(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture
def namespace() -> Iterator[None]:
    """A network of this test's own."""
    if os.geteuid() != 0:
        _skip("a network namespace of its own needs root")
    with network_namespace():
        yield


@pytest.fixture(params=["nfqueue", "socket-filter", "zero-window"])
def technique(request: pytest.FixtureRequest) -> str:
    """The name of a technique."""
    return _usable(request, request.param)


@pytest.fixture(params=["nfqueue", "socket-filter"])
def exact(request: pytest.FixtureRequest) -> str:
    """The name of a technique that holds a FIN whatever precedes it."""
    return _usable(request, request.param)


@pytest.fixture
def socket_filter(request: pytest.FixtureRequest) -> str:
    return _usable(request, "socket-filter")


@pytest.fixture
def nfqueue(request: pytest.FixtureRequest) -> str:
    return _usable(request, "nfqueue")


@pytest.fixture
def zero_window(request: pytest.FixtureRequest) -> str:
    return _usable(request, "zero-window")


def _usable(request: pytest.FixtureRequest, name: str) -> str:
    if name == "nfqueue":
        request.getfixturevalue("namespace")
    probe = _probe(name)
    if not probe.ok:
        _skip(f"{probe.why}; {probe.what_to_do}")
    return name


@pytest.fixture(params=list(HOSTS.values()), ids=list(HOSTS))
def host(request: pytest.FixtureRequest) -> str:
    """A loopback address of each IP version."""
    address: str = request.param
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as trial:
        try:
            trial.bind((address, 0))
        except OSError as error:
            _skip(f"no loopback address {address} here: {error}")
    return address
