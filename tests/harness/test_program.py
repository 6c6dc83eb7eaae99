"""Programs under test: ready, signalled, watched while they exit, and ended whatever they do."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.errors import CheckFailedError, HarnessError
from harness.program import LeakError, Program, StillRunningError
from harness.starting import StartError, split_command
from tests.harness.connections import needs_linux

LISTENS = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
kept = []
while True:
    kept.append(listener.accept()[0])
"""
PR_SET_CHILD_SUBREAPER = 36
IGNORES_TERM = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
signal.pause()
"""


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


@pytest.fixture
def listens() -> Iterator[Program]:
    with Program(*python(LISTENS, "{port}")) as program:
        yield program


def test_it_is_ready_when_it_accepts(listens: Program) -> None:
    with listens.connect() as sock:
        assert sock.getpeername() == listens.address


def test_two_programs_never_get_the_same_port(listens: Program) -> None:
    with listens.again() as other:
        assert other.port != listens.port


def test_it_can_be_started_again_on_the_same_port(listens: Program) -> None:
    listens.kill()
    with listens.again(same_port=True) as other:
        assert other.port == listens.port


def test_it_is_ready_when_it_prints_a_pattern() -> None:
    with Program(*python(IGNORES_TERM), ready="de.f\n", grace=0) as program:
        assert program.output == "deaf\n"


def test_it_is_ready_when_a_probe_says_so(tmp_path: Path) -> None:
    code = "import pathlib, signal, sys; pathlib.Path(sys.argv[1]).touch(); signal.pause()"
    flag = tmp_path / "flag"
    with Program(*python(code, str(flag)), ready=lambda _: flag.exists()) as program:
        assert program.is_running


def test_a_command_may_be_one_text() -> None:
    assert split_command(("serve --name 'a b' {port}",)) == ["serve", "--name", "a b", "{port}"]
    with pytest.raises(StartError, match="expected a command"):
        split_command(("",))


def test_a_start_that_fails_tells_command_code_and_last_lines() -> None:
    with pytest.raises(StartError) as failure:
        Program(*python("import sys; print('no config'); sys.exit(7)", "{port}"))
    text = str(failure.value)
    assert "exited with code 7 before it was ready" in text
    assert "command: " + sys.executable in text
    assert "no config" in text


def test_a_program_that_does_not_exist_is_named() -> None:
    with pytest.raises(StartError, match="none called 'no-such-program'"):
        Program("no-such-program --port {port}")


def test_a_program_that_never_gets_ready_is_ended() -> None:
    with pytest.raises(StartError, match=r"not ready after 0\.2 s") as failure:
        Program(*python(IGNORES_TERM), ready="never printed", within=0.2, grace=0)
    pid = int(str(failure.value).split("process ")[1].split(":")[0])
    assert not psutil.pid_exists(pid)


def test_exit_code_and_time_are_told(listens: Program) -> None:
    listens.terminate()
    ended = listens.exits(within=5)
    assert ended.code == -signal.SIGTERM
    assert 0 <= ended.seconds < 5


def test_a_program_that_does_not_exit_is_told_with_its_sockets(listens: Program) -> None:
    with pytest.raises(StillRunningError) as failure:
        listens.exits(within=0.01)
    assert f"127.0.0.1:{listens.port}" in str(failure.value)
    assert "LISTEN" in str(failure.value)


def test_one_that_ignores_sigterm_is_killed_and_it_is_said() -> None:
    program = Program(*python(IGNORES_TERM), ready="deaf", grace=0.05)
    notes = program.stop()
    assert len(notes) == 1
    assert "ignored SIGTERM for 0.05 s and was killed" in notes[0]
    assert not psutil.pid_exists(program.pid)


def test_children_are_ended_with_it_also_those_that_have_left_the_group() -> None:
    code = """
import os, signal
for leaves in (False, True):
    if os.fork() == 0:
        if leaves:
            os.setsid()
        os.write(1, b"child %d\\n" % os.getpid())
        signal.pause()
signal.pause()
"""
    with Program(*python(code), ready=r"child \d+\n(.|\n)*child \d+\n") as program:
        pids = [int(line.split()[1]) for line in program.output.splitlines()]
        assert {*pids, program.pid} == set(program.pids)
    assert not [pid for pid in pids if psutil.pid_exists(pid) and _lives(pid)]


HIDES = """
import ctypes, os, signal

def forget_environment():
    # As postgres does, which writes its process title over it.
    fields = open("/proc/self/stat").read().rsplit(")", 1)[1].split()
    begin, end = int(fields[47]), int(fields[48])
    ctypes.memset(begin, 0, end - begin)

if os.fork() == 0:
    os.setsid()
    forget_environment()
    os.write(1, b"hidden %d\\n" % os.getpid())
    while True:
        signal.pause()
signal.pause()
"""


@needs_linux
@pytest.mark.parametrize("parent_dies_of", [None, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_child_in_its_own_session_without_the_mark_is_ended(parent_dies_of: int | None) -> None:
    with Program(*python(HIDES)) as program:
        child = psutil.Process(int(program.says(r"hidden \d+\n").split()[1]))
        assert "FINPROXY_PROGRAM" not in child.environ()
        child.suspend()
        if parent_dies_of:
            program.signal(parent_dies_of)
            program.exits(within=5)
            assert program.pids == [child.pid]
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert program.notes == []  # it saw SIGTERM, although it was stopped


@needs_linux
def test_it_does_not_wait_until_somebody_reaps_an_orphan() -> None:
    # As in a container whose first process never reaps: the orphan is handed to us, and we do not either.
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1) == 0
    code = """
import os, signal
pid = os.fork()
if not pid:
    os.setsid()
    signal.pause()
print(pid, flush=True)
"""
    try:
        with Program(*python(code)) as program:
            orphan = int(program.says(r"\d+\n"))
            program.exits(within=5)
            assert program.pids == [orphan]
        assert program.pids == []
        assert psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0)
        os.waitpid(orphan, 0)


def _lives(pid: int) -> bool:
    return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


FORKS_AWAY = """
import os, signal, socket, sys

def listen():
    os.setsid()
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    print("listening", flush=True)
    signal.pause()

parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        pass
    listen()
"""


@pytest.mark.parametrize("settings", [{}, {"ready": "listening"}], ids=["by port", "by pattern"])
def test_a_program_that_forks_away_is_told_and_its_child_is_ended(settings: dict[str, str]) -> None:
    with pytest.raises(StartError, match=r"keep it in the foreground") as failure:
        Program(*python(FORKS_AWAY, "{port}"), **settings)  # type: ignore[arg-type]
    [child] = re.findall(r"left the processes \[(\d+)\] behind", str(failure.value))
    assert not psutil.pid_exists(int(child)) or not _lives(int(child))


def test_a_program_that_has_ended_already_cannot_be_asked_to(listens: Program) -> None:
    # Its exit would be taken for the answer to a signal that nobody got.
    listens.kill()
    with pytest.raises(CheckFailedError, match="found that it exited with code -9"):
        listens.terminate()


@pytest.mark.slow
def test_a_flood_of_output_is_read_and_only_the_tail_is_kept() -> None:
    code = """
import os
block = b"x" * 65536
for _ in range(4096):
    os.write(1, block)
print("the end", flush=True)
"""
    with Program(*python(code)) as program:
        assert program.exits(within=60).code == 0
        assert program.output.endswith("the end\n")
        assert len(program.output) < 70_000
        assert "bytes before this were not kept" in program.output


def test_what_it_says_can_be_waited_for() -> None:
    with Program(*python("print('one'); print('two')")) as program:
        assert program.says("t.o\n", within=5) == "one\ntwo\n"
        with pytest.raises(CheckFailedError, match="three"):
            program.says("three", within=5)


@needs_linux
def test_its_sockets_are_told_with_states_and_owners(listens: Program) -> None:
    with listens.connect():
        listens_on = {row.state: row for row in listens.sockets()}
    owner = listens_on[next(state for state in listens_on if state == "LISTEN")].owner
    assert owner is not None
    assert owner.pid == listens.pid


@needs_linux
@needs_linux
def test_one_that_dies_is_known_to_end_as_soon_as_its_connections_do() -> None:
    code = """
import os, socket, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def die():
    sock = listener.accept()[0]
    sock.recv(1)
    os._exit(3)
threading.Thread(target=die).start()
"""
    for _ in range(20):
        with Program(*python(code, "{port}"), grace=0) as program, program.connect() as sock:
            assert not program.is_ending
            sock.sendall(b"x")
            assert sock.recv(1) == b""
            assert program.is_ending


def test_a_socket_that_was_forgotten_is_a_leak(listens: Program) -> None:
    listens.assert_no_leaks()
    listens.connect().close()
    with pytest.raises(LeakError, match="CLOSE-WAIT, python"):
        listens.assert_no_leaks(within=0.05)


@needs_linux
def test_what_the_other_end_holds_is_not_its_leak(listens: Program) -> None:
    with listens.connect() as kept:
        listens.kill()
        kept.recv(1)
        listens.assert_no_leaks()


def test_a_program_without_a_port_has_no_address() -> None:
    with Program(*python("")) as program, pytest.raises(HarnessError, match="a program with a port"):
        _ = program.address


def test_a_signal_goes_to_the_first_process_or_to_all() -> None:
    code = """
import signal
signal.signal(signal.SIGUSR1, lambda *_: print("usr1", flush=True))
print("up", flush=True)
while True:
    signal.pause()
"""
    with Program(*python(code), ready="up") as program:
        program.signal(signal.SIGUSR1)
        program.says("usr1")
        program.signal_all(signal.SIGKILL)
        assert program.exits(within=5).code == -signal.SIGKILL


@pytest.fixture
def odd_signals() -> Iterator[None]:
    """What a shell does to what it starts in its background, nohup, and a thread that waits for SIGTERM."""
    ignored = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_a_program_does_not_inherit_what_is_ignored_or_blocked_here(number: int, odd_signals: None) -> None:
    with Program("sleep", "60", grace=0) as program:
        program.signal(number)
        assert program.exits(within=10).code == -number


def test_a_file_that_is_no_program_is_told_with_odd_signals_too(tmp_path: Path, odd_signals: None) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"\0")
    empty.chmod(0o700)
    with pytest.raises(StartError, match="cannot be started: Exec format error"):
        Program(str(empty))


@needs_linux
@pytest.mark.parametrize(("blocked", "taker"), [(False, "first"), (True, "other")])
def test_the_thread_that_would_get_the_signal_gets_it_though_it_is_stopped(blocked: bool, taker: str) -> None:
    # Each thread that takes a signal says so: in the kernel, before any of them is back in Python.
    code = f"""
import ctypes, signal, sys, threading
libc = ctypes.CDLL(None)
first = libc.gettid()
def took(number):
    libc.write(1, *((b"first\\n", 6) if libc.gettid() == first else (b"other\\n", 6)))
took = ctypes.CFUNCTYPE(None, ctypes.c_int)(took)
libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.signal(signal.SIGTERM, ctypes.cast(took, ctypes.c_void_p))
def rest():
    while True:
        signal.pause()
for _ in range(8):
    threading.Thread(target=rest, daemon=True).start()
if {blocked}:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("up", flush=True)
rest()
"""
    with Program(*python(code), ready="up\n", grace=0) as program:
        for _ in range(20):
            before = len(program.output)
            program.signal(signal.SIGSTOP)
            while program.statuses != {program.pid: "stopped"}:
                pass
            program.signal(signal.SIGTERM)
            program.signal(signal.SIGCONT)
            program.says(rf"(?s).{{{before}}}.+")
        assert set(program.output.split()) == {"up", taker}


def test_it_runs_in_the_environment_and_directory_asked_for(tmp_path: Path) -> None:
    code = "import os; print(os.environ['COLOUR'], os.getcwd())"
    with Program(*python(code), env={"COLOUR": "blue"}, cwd=tmp_path) as program:
        assert program.says("blue .*\n") == f"blue {os.path.realpath(tmp_path)}\n"
