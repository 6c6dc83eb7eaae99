"""What only the socket filter has: counters of older legs, and the refusal by the kernel."""

import os
import socket
import subprocess
import sys
import textwrap

import pytest

from finproxy.wire.technique import Sight
from tests.finproxy.wire.conftest import Bench
from tests.finproxy.wire.kernel import outlast_retries, wait_until


def test_a_leg_that_was_not_prepared_can_be_held_from_now_on(filter_bench: Bench) -> None:
    listener = filter_bench.listener(keep=None)
    peer = filter_bench.peer(listener)
    hold = filter_bench.hold(filter_bench.accepted(listener))

    peer.shutdown(socket.SHUT_WR)

    wait_until(lambda: hold.look() is Sight.KEPT_OUT)


def test_every_retransmission_is_kept_out(filter_bench: Bench) -> None:
    peer, _, hold = filter_bench.leg()
    peer.shutdown(socket.SHUT_WR)
    outlast_retries(peer, 2)

    assert hold.look() is Sight.KEPT_OUT


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give its privilege up")
def test_without_the_capability_the_probe_says_what_to_do() -> None:
    """Kernels that let anybody filter (before 6.x) prove it instead: either answer is honest."""
    script = textwrap.dedent("""
        import os
        from finproxy.wire.socket_filter import SocketFilter
        os.setuid(65534)
        probe = SocketFilter().probe()
        assert probe.ok or ("CAP_NET_ADMIN" in probe.why and "root" in probe.what_to_do), probe
    """)
    subprocess.run([sys.executable, "-c", script], check=True)
