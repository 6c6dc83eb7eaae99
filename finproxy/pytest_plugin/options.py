"""The plugin's options, the marks that it explains, and what one whole run of pytest shares: seed and notes.

This module must not know what is done with them.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

SEED = pytest.StashKey[int]()
NOTES = pytest.StashKey[list[str]]()
"""Sentences for the end of the run: which programs had to be killed."""

_FIN = (
    "fin(rule, ...): run the test once for each rule; proxies that are given no rules of their own have it. "
    "Several rules for one run go into a list."
)
_SCENARIO = "fin_scenario(name, ...): run the test once for each of these termination scenarios."
_MARKS = (_FIN, _SCENARIO)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("finproxy", "finproxy: how connections end")
    group.addoption(
        "--finproxy-report",
        metavar="DIR",
        type=Path,
        help="keep an SVG diagram and a JSON report of each failed test that used a proxy or a program",
    )
    group.addoption(
        "--finproxy-seed",
        metavar="N",
        type=int,
        help="repeat the chance of an earlier run; a failure says which seed it had",
    )
    # Where the parties run in containers: the same tests, fixtures and checks.
    group.addoption(
        "--finproxy-url",
        metavar="URL",
        help="make proxies in the finproxy whose API is here (http://finproxy:8474), not in this process",
    )
    group.addoption(
        "--finproxy-agent",
        metavar="NAME=URL",
        action="append",
        default=[],
        help="see the connections of another container through its agent; repeatable",
    )
    group.addoption(
        "--finproxy-server",
        metavar="[PROGRAM=]HOST:PORT",
        action="append",
        default=[],
        help="with --finproxy-url: what runs already in the place of a program to launch; repeatable",
    )
    group.addoption(
        "--finproxy-token-file",
        metavar="FILE",
        type=Path,
        help="the token that the API and the agents ask for",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Explain the marks, and settle the seed."""
    for line in _MARKS:
        config.addinivalue_line("markers", line)
    seed = config.getoption("--finproxy-seed")
    config.stash[SEED] = random.randrange(2**32) if seed is None else seed
    config.stash[NOTES] = []
