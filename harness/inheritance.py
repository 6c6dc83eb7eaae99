"""Starts a process that inherits nothing of our signals: as a service manager would start it.

A shell lets what it starts in its background ignore SIGINT and SIGQUIT, nohup SIGHUP, and a thread may have
blocked any signal; a program inherits all of that, and would be blamed for not ending when it is asked to.
`subprocess` gives back SIGPIPE and SIGXFSZ only, and between fork and exec nothing else is safe in a process
with threads: so a short-lived Python does it, which then becomes the program. This module must not know which
program that is.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

_GIVEN_BACK = {signal.SIGPIPE, signal.SIGXFSZ}
"""What Python ignores itself, and `subprocess` sets right."""

_BECOME = """
import os, signal, sys
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, [])
told = int(sys.argv[1])
os.set_inheritable(told, False)
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    os.write(told, str(error.errno).encode())
"""
"""Becoming the program closes the descriptor; that is how we learn that it has."""


def start(command: Sequence[str], **settings: Any) -> subprocess.Popen[bytes]:
    """Start a command whose first part is a path; `settings` are those of `subprocess.Popen`.

    Raises:
        OSError: it cannot be started.

    """
    if not _would_be_inherited():
        return subprocess.Popen(command, **settings)
    told, tells = os.pipe()
    with os.fdopen(told, "rb") as answer:
        try:
            become = [sys.executable, "-I", "-S", "-c", _BECOME, str(tells), *command]
            process = subprocess.Popen(become, pass_fds=[tells], **settings)
        finally:
            os.close(tells)
        # Not before it is the program may anybody signal it: the signal could still be ignored.
        if error := int(answer.read() or 0):
            process.wait()
            raise OSError(error, os.strerror(error), command[0])
    return process


def _would_be_inherited() -> bool:
    ignored = {number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN}
    return bool(ignored - _GIVEN_BACK or signal.pthread_sigmask(signal.SIG_BLOCK, []))
