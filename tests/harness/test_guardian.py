"""Programs whose owner died without ending them are ended all the same."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.agent.signals import is_alive
from harness.output import wait_until
from tests.harness.connections import needs_linux

pytestmark = needs_linux

# A program that has started another one, which has left its group: both ids are told. Nobody waits for their
# sleep: it is the end that they come to themselves, should what is tested here leave them behind.
OWNER = """
import os, sys
from harness.program import Program
SERVER = '''
import subprocess, sys, time
command = [sys.executable, "-c", "import time; print(0, flush=True); time.sleep(600)"]
child = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, "ready", flush=True)
time.sleep(600)
'''
app = Program(sys.executable, "-c", SERVER, ready="ready")
{before}
print(app.pid, app.output.split()[0], flush=True)
{after}
"""


@contextmanager
def owner(before: str = "", after: str = "sys.stdin.read()") -> Iterator[subprocess.Popen[str]]:
    code = OWNER.format(before=before, after=after)
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def pids_told(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    return [int(pid) for pid in process.stdout.readline().split()]


def are_ended(pids: list[int]) -> bool:
    return len(pids) == 2 and wait_until(lambda: not any(map(is_alive, pids)), 10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_they_end_when_their_owner_is_killed(number: int) -> None:
    with owner() as process:
        pids = pids_told(process)
        assert all(map(is_alive, pids))
        process.send_signal(number)
        process.wait()
        assert are_ended(pids)


def test_they_end_before_an_owner_that_forgot_them_has_ended() -> None:
    with owner(after="") as process:
        pids = pids_told(process)
        assert process.wait() == 0
        assert not any(map(is_alive, pids))


def test_a_forked_child_of_the_owner_neither_ends_them_nor_keeps_them() -> None:
    child = "child = os.fork()\nif not child: sys.stdin.read(); sys.exit()\n"
    with owner(before="gone = os.fork()\nif not gone: sys.exit()\nos.waitpid(gone, 0)\n" + child) as process:
        pids = pids_told(process)
        assert all(map(is_alive, pids))
        process.kill()
        process.wait()
        assert are_ended(pids)
        assert process.stdin is not None
        process.stdin.close()  # the child has lived up to here


def test_programs_are_ended_as_ever_when_it_is_killed_itself() -> None:
    kill = """
import psutil
[guardian] = [each for each in psutil.Process().children() if "guardian.py" in " ".join(each.cmdline())]
guardian.kill()
guardian.wait()
"""
    with owner(before=kill, after="app.stop()") as process:
        pids = pids_told(process)
        assert process.wait() == 0
        assert not any(map(is_alive, pids))
