"""Hypothesis runs the same examples every time: a test that fails has a reason, not bad luck."""

from __future__ import annotations

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tests.finproxy.playbook")

settings.register_profile("finproxy", derandomize=True, deadline=None)
settings.load_profile("finproxy")
