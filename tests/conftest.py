"""What holds for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .support.peers import close_all_peers


@pytest.fixture(autouse=True)
def _no_peer_is_left_open() -> Iterator[None]:
    yield
    close_all_peers()
