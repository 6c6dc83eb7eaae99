"""The package `harness` that comes with finproxy, told from a folder of that name in a user's repository.

If that one was imported, the plugin says so, instead of failing in odd ways. This module must not know what
the package is needed for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
"""Where both packages are."""


def import_our_harness() -> None:
    """Import the package `harness` that comes with finproxy, or say which other one was found."""
    import harness

    found = getattr(harness, "__file__", None) or next(iter(getattr(harness, "__path__", [])), "?")
    ours = TOP / "harness"
    if ours not in (Path(found), Path(found).parent):
        raise pytest.UsageError(
            f"expected the package 'harness' that comes with finproxy ({ours}), found another one "
            f"({found}); rename that folder, or keep it off sys.path (--import-mode=importlib, and run "
            "'pytest' instead of 'python -m pytest')"
        )
