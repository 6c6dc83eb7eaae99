"""What cannot be done here is refused at start, with what is missing; nothing is replaced in silence."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec

import pytest

import finproxy
from finproxy.wire.technique import WireError
from tests.support.programs import need

MISSING_FOR_NFQUEUE = "CAP_NET_ADMIN" if find_spec("netfilterqueue") else "the Python package NetfilterQueue"
"""The first thing that an unprivileged proxy lacks: the package is optional."""

WITHOUT_PRIVILEGE = textwrap.dedent("""
    import trio, finproxy

    async def main():
        try:
            async with finproxy.open_proxy("127.0.0.1:1", RULES, **SETTINGS) as proxy:
                print("started with", proxy._around.wire.technique.name)
        except finproxy.FinproxyError as error:
            print(error)

    trio.run(main)
""")


def _started_without_privilege(*rules: str, **settings: str) -> str:
    script = WITHOUT_PRIVILEGE.replace("RULES", repr(rules)).replace("SETTINGS", repr(settings))
    command = [sys.executable, "-c", script]
    if os.geteuid() == 0:  # of all that root may do, only this is missing
        need("setpriv")
        command = ["setpriv", "--bounding-set=-net_admin", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_without_privilege_the_error_says_for_each_technique_what_is_missing() -> None:
    """Kernels that let anybody attach a filter (before 6.x) serve it all the same."""
    said = _started_without_privilege("client.fin -> hold at wire")

    if "started with socket-filter" in said:
        pytest.skip("this kernel lets anybody attach a socket filter")
    nfqueue, socket_filter, zero_window = (
        next(line for line in said.splitlines() if line.startswith(f"  {name}:"))
        for name in ("nfqueue", "socket-filter", "zero-window")
    )
    assert MISSING_FOR_NFQUEUE in nfqueue
    assert "CAP_NET_ADMIN" in socket_filter
    assert "--wire zero-window" in zero_window
    assert "at the relay" in said


def test_without_privilege_a_forced_technique_is_not_replaced() -> None:
    said = _started_without_privilege("client.fin -> hold at wire", wire="nfqueue")

    assert said.startswith("--wire nfqueue: ")
    assert MISSING_FOR_NFQUEUE in said


def test_zero_window_needs_no_privilege() -> None:
    said = _started_without_privilege("client.fin -> hold at wire", wire="zero-window")

    assert said == "started with zero-window\n"


@pytest.mark.parametrize(
    ("rules", "wire", "expected"),
    [
        (
            ["client.fin -> hold at wire"],
            "tape",
            "expected one of nfqueue, socket-filter, zero-window, found 'tape'",
        ),
        (["any.fin -> simultaneous at wire"], "zero-window", "found `simultaneous`"),
        (["client.fin -> overtake at wire"], "zero-window", "cannot let a FIN overtake its data"),
        (
            ["client.fin -> hold at wire @0.5", "client.fin -> simultaneous at wire"],
            "zero-window",
            "found `simultaneous`",
        ),
    ],
)
async def test_a_wish_that_cannot_be_served_is_an_error_at_start(
    rules: list[str], wire: str, expected: str
) -> None:
    with pytest.raises(WireError, match=expected):
        async with finproxy.open_proxy("127.0.0.1:1", rules, wire=wire):
            raise AssertionError("the proxy has started")


async def test_without_rules_at_wire_no_technique_is_asked() -> None:
    async with finproxy.open_proxy("127.0.0.1:1", ["client.fin -> hold"]) as proxy:
        assert proxy._around.wire is None
