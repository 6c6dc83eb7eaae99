"""A tracing instance of our own under tracefs: made, configured, read, and removed whatever happens to us.

Kernel documentation: Documentation/trace/ftrace.rst, "Instances". Another user's tracing is never touched.
An instance outlives a process that is killed, so three things remove it: close(), a guard process that
waits for our end of a pipe to vanish, and the next start, which sweeps what dead processes left. This
module must not know which events are traced or what they mean.
"""

import atexit
import contextlib
import errno
import itertools
import os
import re
import subprocess
import weakref
from collections.abc import Iterator
from pathlib import Path

from harness.errors import SourceUnavailableError

_ROOT = Path("/sys/kernel/tracing")
# pid, start time in clock ticks, inode of the pid namespace, serial number. A pid alone may have been given
# to another process, and a container's pid 7 is not the host's.
_NAME = re.compile(r"finproxy-(?P<pid>\d+)-(?P<start>\d+)-(?P<namespace>\d+)-\d+")
_serial = itertools.count(1)
_live: "weakref.WeakSet[TraceInstance]" = weakref.WeakSet()

# Waits until its input ends, which it does when our process ends in whatever way; then removes the
# instance. Our descriptors may be closed a moment later than the pipe, hence the second try.
_GUARD = (
    'cat >/dev/null; [ -d "$0" ] || exit 0; rmdir "$0" 2>/dev/null || { sleep 0.2; rmdir "$0"; } 2>/dev/null'
)


class TraceInstance:
    """One instance directory, removed by close().

    `path` is where its files are; `did_mount` says that tracefs was not mounted and now is, and stays so.
    """

    def __init__(self) -> None:
        self.did_mount = _ensure_mounted()
        sweep()
        self.path = _ROOT / "instances" / _own_name()
        try:
            self.path.mkdir()
        except OSError as error:
            raise SourceUnavailableError(
                f"tracepoint: expected to make {self.path}, found {error.strerror}; run as root, "
                "or go on without it: short states may then stay unseen"
            ) from error
        self._guard = _start_guard(self.path)
        self._pipe: int | None = None
        self._process = os.getpid()
        _live.add(self)

    def write(self, name: str, value: str) -> None:
        """Write one of the instance's files. Raises SourceUnavailableError if the kernel does not take it."""
        try:
            (self.path / name).write_text(value)
        except OSError as error:
            raise SourceUnavailableError(
                f"tracepoint: expected the kernel to take {value!r} for {name}, found {error.strerror}; "
                "go on with the source sock_diag"
            ) from error

    def open_pipe(self) -> int:
        """Return the descriptor of trace_pipe, non-blocking."""
        self._pipe = os.open(self.path / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        return self._pipe

    def belongs_to_us(self) -> bool:
        """Whether this very process made the instance."""
        return self._process == os.getpid()

    def close(self) -> None:
        """Stop tracing and remove the directory. May be called twice."""
        _live.discard(self)
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        try:
            self.path.rmdir()
        except FileNotFoundError:
            pass
        except OSError as error:
            # A child that another thread has just forked holds our descriptors until it runs its program.
            if error.errno != errno.EBUSY:
                raise
        # The guard sees its input end: it has nothing left to do, or tries once more what we could not.
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait()


@atexit.register
def _close_all() -> None:
    for instance in list(_live):
        # A forked child inherits the object, and its exit must not end its parent's tracing.
        if instance.belongs_to_us():
            instance.close()


def sweep() -> list[str]:
    """Remove the instances that dead processes of our pid namespace left behind; return their names."""
    swept = []
    for folder in _leftovers():
        # Somebody may read its pipe still, or sweep at the same time.
        with contextlib.suppress(OSError):
            folder.rmdir()
            swept.append(folder.name)
    return swept


def _leftovers() -> Iterator[Path]:
    try:
        folders = list((_ROOT / "instances").iterdir())
    except OSError:
        return
    for folder in folders:
        name = _NAME.fullmatch(folder.name)
        if name is None or int(name["namespace"]) != _pid_namespace():
            continue
        if _start_time(int(name["pid"])) != int(name["start"]):
            yield folder


def _own_name() -> str:
    pid = os.getpid()
    return f"finproxy-{pid}-{_start_time(pid)}-{_pid_namespace()}-{next(_serial)}"


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the command in parentheses and may itself contain spaces and parentheses (proc(5)).
    return int(stat.rpartition(")")[2].split()[19])


def _pid_namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _start_guard(path: Path) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C in the terminal must not end the guard before it has done its work.
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _ensure_mounted() -> bool:
    """Mount tracefs if nobody has; return whether that was done."""
    if os.geteuid() != 0:
        raise SourceUnavailableError(
            f"tracepoint: expected to run as root, found user {os.geteuid()}, who may not use {_ROOT}; "
            "run as root, or go on with the source sock_diag"
        )
    if (_ROOT / "instances").is_dir():
        return False
    if not _ROOT.is_dir():
        raise SourceUnavailableError(
            f"tracepoint: expected the kernel to have {_ROOT}, found none (no ftrace, or not Linux); "
            "go on with the source sock_diag"
        )
    done = subprocess.run(
        ["mount", "-t", "tracefs", "nodev", str(_ROOT)], check=False, capture_output=True, text=True
    )
    if done.returncode or not (_ROOT / "instances").is_dir():
        raise SourceUnavailableError(
            f"tracepoint: expected tracefs at {_ROOT}, found it not readable and mounting it failed "
            f"({done.stderr.strip() or 'no reason given'}); run as root outside a container"
        )
    return True
