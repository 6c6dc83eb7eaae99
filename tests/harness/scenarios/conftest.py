"""One Trio run for all plays of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.background import Background


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    thread = Background()
    yield thread
    thread.stop()
