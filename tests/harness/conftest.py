"""Fixtures that several test modules of the harness share."""

from collections.abc import Iterator

import pytest

from tests.harness.connections import Pair, connected
from tests.harness.namespaces import Namespace, connection_elsewhere


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Give both ends of a connection."""
    with connected() as both:
        yield both


@pytest.fixture
def network_namespace() -> Iterator[Namespace]:
    """Give a connection in a network namespace of its own."""
    with connection_elsewhere() as namespace:
        yield namespace
