"""What holds for all tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from .support.peers import close_all_peers

# A shell that starts the tests in its background lets them ignore SIGINT, and so would all that they start:
# tests that interrupt a program would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_peer_is_left_open() -> Iterator[None]:
    yield
    close_all_peers()
