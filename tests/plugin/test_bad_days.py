"""Programs that behave badly, and tests that end badly: said clearly, and nothing is left behind."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from harness.agent.signals import is_alive
from harness.output import wait_until
from tests.harness.connections import needs_linux

from .conftest import PREAMBLE, Runs

pytestmark = needs_linux


def test_a_test_that_ends_with_fins_held_leaves_no_thread_and_no_process(runs: Runs) -> None:
    done = runs(
        """
import threading, psutil
pids = []

def test_leaves_it_held(echo, fin_proxy):
    pids.append(echo.pid)
    proxy = fin_proxy(echo, "any.fin -> hold")
    client = proxy.connect()
    client.shutdown(socket.SHUT_WR)
    proxy.wait_for("fin.held")
    client.close()

def test_nothing_is_left():
    names = sorted(thread.name for thread in threading.enumerate())
    assert names == ["MainThread", "finproxy background"]
    assert not psutil.pid_exists(pids[0])
""",
        alone=True,
    )
    done.assert_outcomes(passed=2)


def test_a_start_that_fails_shows_the_program(runs: Runs) -> None:
    done = runs("""
def test_start(launch):
    launch(sys.executable, "-c", "print('no config'); raise SystemExit(3)", "{port}")
""")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*exited with code 3 before it was ready*", "*no config*"])


def test_a_program_that_had_to_be_killed_is_named_in_the_summary(runs: Runs) -> None:
    done = runs("""
DEAF = '''
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
signal.pause()
'''

def test_deaf(launch):
    launch(sys.executable, "-c", DEAF, ready="deaf", grace=0.01)
""")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["*= finproxy =*", "*test_deaf*ignored SIGTERM for 0.01 s and was killed"])


def test_a_program_that_never_gets_ready_shows_itself(runs: Runs) -> None:
    done = runs("""
def test_start(launch):
    launch(sys.executable, "-c", "print('busy', flush=True); input_ = open('/dev/zero').read()", "{port}",
           within=0.5, grace=0)
""")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*it was not ready after 0.5 s*", "*running; its sockets:*", "*busy*"])


def test_a_program_that_forks_away_is_told_and_its_child_is_ended(runs: Runs) -> None:
    done = runs("""
import psutil
DAEMON = '''
import os, signal, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
if os.fork():
    os._exit(0)
os.setsid()
signal.pause()
'''

def test_daemon(launch):
    launch(sys.executable, "-c", DAEMON, "{port}")

def test_nothing_is_left():
    names = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
    assert not [name for name in names if DAEMON in name]
""")
    done.assert_outcomes(failed=1, passed=1)
    done.stdout.fnmatch_lines(["*it exited with code 0*keep it in the foreground*"])


def test_a_program_that_never_stops_printing_is_read_and_shown(runs: Runs) -> None:
    done = runs("""
FLOOD = "import os\\nwhile True: os.write(1, b'x' * 999 + bytes([10]))"

def test_flood(launch):
    flood = launch(sys.executable, "-c", FLOOD, ready=lambda it: "not kept" in it.output)
    assert len(flood.output) < 70_000
    flood.kill()
    assert False, "to see it"
""")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*to see it*", "*its last lines:*", "*xxxxxxxxxx*"])


def test_nothing_is_left_open_by_tests_that_fail_or_hold(runs: Runs) -> None:
    done = runs(
        """
import os, threading

def open_now():
    return len(os.listdir("/proc/self/fd")), sorted(thread.name for thread in threading.enumerate())

def test_starts_the_background(echo, fin_proxy):
    fin_proxy(echo).connect()

before = []

def test_before():
    before.append(open_now())

def test_fails_to_start(launch):
    launch(sys.executable, "-c", "raise SystemExit(1)", "{port}")

def test_fails_with_all_held(echo, fin_proxy, scripted_server):
    proxy = fin_proxy(echo, "any.fin -> hold")
    for _ in range(5):
        proxy.connect().shutdown(socket.SHUT_WR)
    proxy.wait_for("fin.held", count=5)
    fin_proxy(scripted_server(lambda peer: peer.read_request())).connect()
    assert False

@pytest.mark.fin_scenario("fin-mid-body")
def test_fails_in_a_scenario(fin_scenario):
    fin_scenario(sys.executable, "-c", "", "{url}")

def test_fails_a_contract(echo, shutdown_contract):
    from harness.contract import RawBytes
    shutdown_contract(echo, grace=3, protocol=RawBytes(b"1", b"1"))

def test_after():
    assert [open_now()] == before
""",
        alone=True,
    )
    done.assert_outcomes(failed=4, passed=3)


def test_a_run_that_is_interrupted_ends_its_programs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it=PREAMBLE
        + """
import pathlib

def test_waits(echo, fin_proxy):
    client = fin_proxy(echo, "client.fin -> hold").connect()
    pathlib.Path("pid.new").write_text(str(echo.pid))
    pathlib.Path("pid.new").rename("pid")
    client.settimeout(None)
    client.recv(1)
"""
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    pytest_run = pytester.popen(command, stdin=subprocess.DEVNULL)
    written = pytester.path / "pid"
    while not written.exists():
        assert pytest_run.poll() is None
    pytest_run.send_signal(signal.SIGINT)
    pytest_run.communicate()
    assert pytest_run.returncode == pytest.ExitCode.INTERRUPTED
    assert not psutil.pid_exists(int(written.read_text()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_killed_leaves_no_program(pytester: pytest.Pytester, number: int) -> None:
    """As by a CI job's time limit; SIGTERM ends pytest as suddenly as SIGKILL does."""
    pytester.makepyfile(
        test_it=PREAMBLE + "def test_it(echo):\n    print(echo.pid, flush=True)\n    input()\n"
    )
    command = [sys.executable, "-m", "pytest", "-s", "-q", "-p", "no:cacheprovider"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert is_alive(pid)
        run.send_signal(number)
        assert wait_until(lambda: not is_alive(pid), 10)
