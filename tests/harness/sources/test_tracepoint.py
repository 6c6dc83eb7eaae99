"""The tracepoint source on the real kernel: every transition once, and nothing left behind."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import SourceUnavailableError
from harness.sources import tracefs
from harness.sources.tracepoint import Tracepoint
from harness.states import TcpState as S
from harness.transitions import KernelEvent, SegmentEvent, StateChange
from tests.harness.connections import Pair, abort, connected, needs_tracefs

pytestmark = needs_tracefs

INSTANCES = Path("/sys/kernel/tracing/instances")


def read_until(source: Tracepoint, pair: Pair, count: int) -> list[KernelEvent]:
    """Return the events of `pair`: other programs of this machine have connections too."""
    events: list[KernelEvent] = []
    while len(events) < count:
        ready, _, _ = select.select([source], [], [], 0 if source.has_waiting else 5)
        assert ready or source.has_waiting, f"expected {count} events, got {events} and silence"
        events += [event for event in source.read() if event.endpoint in {pair.endpoint, pair.peer}]
    return events


def instances_of(pid: int) -> list[str]:
    return [folder.name for folder in INSTANCES.iterdir() if folder.name.startswith(f"finproxy-{pid}-")]


def test_every_transition_of_a_close_is_told_once_and_in_order() -> None:
    with connected() as pair:
        source = Tracepoint()
        try:
            source.narrow(frozenset({pair.endpoint.local.port}))
            pair.client.shutdown(1)
            pair.server.recv(1)
            pair.server.close()
            events = read_until(source, pair, 6)
        finally:
            source.close()
    steps = [
        (event.endpoint, event.before, event.after) for event in events if isinstance(event, StateChange)
    ]
    near = [(before, after) for endpoint, before, after in steps if endpoint == pair.endpoint]
    far = [(before, after) for endpoint, before, after in steps if endpoint == pair.peer]
    assert near[0] == (S.ESTABLISHED, S.FIN_WAIT_1)
    assert near[-1][1] is S.CLOSED  # this is how the tracepoint shows TIME-WAIT
    assert far == [(S.ESTABLISHED, S.CLOSE_WAIT), (S.CLOSE_WAIT, S.LAST_ACK), (S.LAST_ACK, S.CLOSED)]
    assert [event.at for event in events] == sorted(event.at for event in events)


def test_a_reset_names_its_sender() -> None:
    with connected() as pair:
        source = Tracepoint()
        try:
            abort(pair.client)
            resets: dict[str, object] = {}
            while len(resets) < 2:
                for event in read_until(source, pair, 1):
                    if isinstance(event, SegmentEvent):
                        resets[event.kind] = event.endpoint
        finally:
            source.close()
    assert resets == {"reset sent": pair.endpoint, "reset received": pair.peer}


def test_closing_removes_the_instance_and_may_be_done_twice() -> None:
    before = set(instances_of(os.getpid()))
    source = Tracepoint()
    assert len(set(instances_of(os.getpid())) - before) == 1
    source.close()
    source.close()
    assert set(instances_of(os.getpid())) == before


HOLD_AN_INSTANCE = """
import os, signal, sys
from harness.sources.tracepoint import Tracepoint
source = Tracepoint()
print(os.getpid(), flush=True)
if sys.argv[1] == "wait":
    signal.pause()
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_watcher_leaves_no_instance_behind(ending: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_AN_INSTANCE, "wait"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert int(process.stdout.readline()) == process.pid
        (name,) = instances_of(process.pid)
        guard = guard_of(name)
        process.send_signal(ending)
        process.wait()
        # The guard ends when it has removed the instance: its pidfd becomes readable then.
        select.select([guard], [], [], 5)
        os.close(guard)
    assert instances_of(process.pid) == []


def test_an_exit_that_forgot_to_close_leaves_no_instance_behind() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOLD_AN_INSTANCE, "exit"], check=True, stdout=subprocess.PIPE, text=True
    )
    assert instances_of(int(done.stdout)) == []


def test_an_ordinary_user_is_told_that_it_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sources.tracefs.os.geteuid", lambda: 1000)
    with pytest.raises(SourceUnavailableError, match="expected to run as root, found user 1000"):
        Tracepoint()


def test_what_a_dead_process_left_is_swept_at_the_next_start() -> None:
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    # Our own pid with another start time: a process that had this pid before us.
    left = INSTANCES / f"finproxy-{os.getpid()}-1-{namespace}-1"
    left.mkdir()
    source = Tracepoint()
    source.close()
    assert not left.exists()


def test_what_another_pid_namespace_made_is_left_alone() -> None:
    foreign = INSTANCES / f"finproxy-1-1-1-{os.getpid()}"
    foreign.mkdir()
    try:
        assert foreign.name not in tracefs.sweep()
        assert foreign.exists()
    finally:
        foreign.rmdir()


def guard_of(name: str) -> int:
    """Return a pidfd of the guard process of instance `name`."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if command.startswith(b"/bin/sh") and name.encode() in command:
                return os.pidfd_open(int(process.name))
    raise AssertionError(f"expected a guard process of {name}, found none")


def test_an_instance_whose_pipe_a_forked_child_still_holds_is_closed_nevertheless() -> None:
    instance = tracefs.TraceInstance()
    held = os.dup(instance.open_pipe())
    try:
        instance.close()
        assert instance.path.exists()
    finally:
        os.close(held)
        instance.path.rmdir()
