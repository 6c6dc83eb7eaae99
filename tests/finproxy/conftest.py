"""Hypothesis runs the same examples every time: a test that fails has a reason, not bad luck."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("finproxy", derandomize=True, deadline=None)
settings.load_profile("finproxy")
