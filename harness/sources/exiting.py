"""Whether a process is on its way out (Linux's /proc; elsewhere it is known once it has become a zombie).

Who talks to a process sees its connections end before anybody can wait for its exit code, and whether its
listener goes before or after them is the kernel's affair. This module must not know who wants to know.
"""

from pathlib import Path

import psutil

_EXITING = 0x4  # PF_EXITING of include/linux/sched.h: set in every thread before it lets go of descriptors
_FLAGS = 6  # in /proc/PID/stat, counted from behind the name (proc_pid_stat(5))


def is_exiting(pid: int) -> bool:
    """Whether it is exiting, has exited, or is gone altogether."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _is_no_more(pid)
    return bool(int(told.rpartition(")")[2].split()[_FLAGS]) & _EXITING)


def _is_no_more(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
