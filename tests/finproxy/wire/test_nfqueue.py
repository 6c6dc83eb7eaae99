"""What only the queue has: firewall rules, which touch nobody else and leave nothing behind."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from finproxy.wire import firewall
from finproxy.wire.nfqueue import NfQueue
from finproxy.wire.tcp_info import KernelState, state
from finproxy.wire.technique import Keep, Sight, WireError
from tests.finproxy.wire.conftest import Bench, read_all, usable
from tests.finproxy.wire.kernel import addresses, table_state, wait_until

OWNER = textwrap.dedent("""
    import socket, sys
    from finproxy.wire.nfqueue import NfQueue
    technique = NfQueue()
    with socket.socket() as listener:
        technique.prepare(listener)
    print("armed", flush=True)
    sys.stdin.read()
""")
"""A proxy that arms the technique, and ends without closing it when its stdin does."""


@contextlib.contextmanager
def another_proxy() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "armed\n"
        try:
            yield process
        finally:
            process.kill()


def rules() -> list[str]:
    """Return our rules of both IP versions."""
    return [
        line for command in firewall.COMMANDS.values() for line in _saved(command) if firewall.TAG in line
    ]


def _saved(command: str) -> list[str]:
    listing = [command, "-t", "mangle", "-S", "INPUT"]
    return subprocess.run(listing, check=True, capture_output=True, text=True).stdout.splitlines()


def test_rules_of_a_killed_proxy_are_harmless_and_swept_at_the_next_start(queue_bench: Bench) -> None:
    with another_proxy() as process:
        assert len(rules()) == 2
        assert all(f"pid={process.pid}:start=" in rule for rule in rules())
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(rules()) == 2

    _, _, hold = queue_bench.leg()

    assert hold.look() is Sight.NOTHING
    assert all(f"pid={os.getpid()}:start=" in rule for rule in rules())


def test_two_that_sweep_together_do_not_disturb_each_other(
    namespace: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    usable(NfQueue())
    with another_proxy() as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    run = firewall._run

    def run_twice(version: int, *words: str) -> str:
        """Delete as if another proxy had done so a moment before."""
        if words[0] == "-D":
            run(version, *words)
        return run(version, *words)

    monkeypatch.setattr(firewall, "_run", run_twice)

    assert firewall.sweep() == 2
    assert rules() == []


def test_a_kernel_without_ipv6_tables_serves_ipv4(namespace: None, monkeypatch: pytest.MonkeyPatch) -> None:
    usable(NfQueue())
    monkeypatch.setitem(firewall.COMMANDS, 6, "no-such-ip6tables")

    with contextlib.closing(NfQueue()) as technique, socket.socket() as ipv4:
        technique.prepare(ipv4)
        with socket.socket(socket.AF_INET6) as ipv6, pytest.raises(WireError, match="no-such-ip6tables"):
            technique.prepare(ipv6)


def test_rules_of_a_living_proxy_are_left_alone(queue_bench: Bench) -> None:
    with another_proxy():
        theirs = rules()
        peer, _, hold = queue_bench.leg()
        peer.shutdown(socket.SHUT_WR)
        wait_until(lambda: hold.look() is Sight.KEPT_OUT)

        assert set(theirs) < set(rules())
        queue_bench.technique.close()
        assert set(theirs) == set(rules())


def test_a_proxy_that_ends_without_closing_leaves_no_rules(queue_bench: Bench) -> None:
    with another_proxy() as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0

    assert rules() == []


def test_the_probe_leaves_nothing_behind(queue_bench: Bench) -> None:
    assert queue_bench.technique.probe().ok

    assert rules() == []
    assert firewall.listening() == set()


def test_closing_the_technique_lets_every_fin_in(queue_bench: Bench) -> None:
    peer, leg, hold = queue_bench.leg()
    peer.shutdown(socket.SHUT_WR)
    wait_until(lambda: hold.look() is Sight.KEPT_OUT)

    queue_bench.technique.close()
    queue_bench.technique.close()

    assert read_all(leg) == b""
    assert rules() == []


def test_another_connection_to_the_same_address_is_not_touched(queue_bench: Bench) -> None:
    server = queue_bench.listener(keep=None)
    ours = queue_bench.stack.enter_context(socket.socket(queue_bench.family))
    queue_bench.technique.prepare(ours)
    ours.connect(server.getsockname()[:2])
    peer_of_ours = queue_bench.accepted(server)
    hold = queue_bench.hold(ours)
    theirs = queue_bench.peer(server)
    peer_of_theirs = queue_bench.accepted(server)

    peer_of_ours.shutdown(socket.SHUT_WR)
    peer_of_theirs.shutdown(socket.SHUT_WR)

    wait_until(lambda: state(theirs) is KernelState.CLOSE_WAIT)
    wait_until(lambda: hold.look() is Sight.KEPT_OUT)


def test_our_own_fin_over_loopback_is_not_kept(queue_bench: Bench) -> None:
    """It carries our mark; the peer's TIME-WAIT structure has none that would replace it."""
    peer, leg, hold = queue_bench.leg()
    pair = addresses(peer)
    hold.release()
    peer.close()
    wait_until(lambda: state(leg) is KernelState.CLOSE_WAIT)
    hold.arm()

    leg.shutdown(socket.SHUT_WR)

    wait_until(lambda: hold.look() is Sight.ENDED)
    assert table_state(queue_bench.family, pair) is KernelState.TIME_WAIT


def test_both_ends_may_be_ours(queue_bench: Bench) -> None:
    listener = queue_bench.listener()
    first = queue_bench.stack.enter_context(socket.socket(queue_bench.family))
    queue_bench.technique.prepare(first)
    first.connect(listener.getsockname()[:2])
    second = queue_bench.accepted(listener)
    holds = [queue_bench.hold(first), queue_bench.hold(second)]

    first.shutdown(socket.SHUT_WR)
    second.shutdown(socket.SHUT_WR)

    wait_until(lambda: all(hold.look() is Sight.KEPT_OUT for hold in holds))
    assert {state(first), state(second)} == {KernelState.FIN_WAIT_1}
    for hold in holds:
        hold.release()
    wait_until(lambda: all(hold.look() is Sight.ENDED for hold in holds))


def test_ipv4_through_a_dual_stack_listener(queue_bench: Bench) -> None:
    listener = queue_bench.stack.enter_context(socket.socket(socket.AF_INET6))
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    queue_bench.technique.prepare(listener)
    listener.bind(("::", 0))
    listener.listen()
    peer = queue_bench.stack.enter_context(socket.create_connection(("127.0.0.1", listener.getsockname()[1])))
    hold = queue_bench.hold(queue_bench.accepted(listener))

    peer.shutdown(socket.SHUT_WR)

    wait_until(lambda: hold.look() is Sight.KEPT_OUT)


async def test_the_fd_wakes_whoever_waits(queue_bench: Bench) -> None:
    import trio

    peer, _, hold = queue_bench.leg()
    fd = queue_bench.technique.fileno()
    assert fd is not None
    peer.shutdown(socket.SHUT_WR)

    with trio.fail_after(5):
        await trio.lowlevel.wait_readable(fd)

    assert hold.look() is Sight.KEPT_OUT


def test_overtake_is_refused(queue_bench: Bench) -> None:
    with pytest.raises(WireError, match="only FIN segments reach the queue"):
        queue_bench.listener(Keep.DATA)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netfilterqueue", None)

    probe = NfQueue().probe()

    assert "NetfilterQueue" in probe.why
    assert "finproxy[nfqueue]" in probe.what_to_do


def test_a_missing_program_is_named(namespace: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("netfilterqueue")
    monkeypatch.setenv("PATH", "/nonexistent")

    probe = NfQueue().probe()

    assert "expected the program iptables, found none" in probe.why
