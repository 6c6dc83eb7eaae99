"""Proxies and toxics as Toxiproxy's clients are shown them: the names and the order of its fields.

This module must not know requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...legs import Leg
from ...toxics import Toxic
from ..managed import Managed


def proxy(managed: Managed) -> dict[str, Any]:
    """A proxy, but for the empty ``Logger`` that Toxiproxy shows by accident."""
    return {
        "name": managed.name,
        "listen": managed.listen,
        "upstream": managed.upstream,
        "enabled": managed.enabled,
        "toxics": toxics(managed.settings.toxics),
    }


def toxics(given: Iterable[Toxic]) -> list[dict[str, Any]]:
    """All toxics of a proxy: those of the client's bytes first, each half in the order of creation."""
    return [toxic.as_dict() for toxic in sorted(given, key=lambda toxic: toxic.leg is Leg.SERVER)]
