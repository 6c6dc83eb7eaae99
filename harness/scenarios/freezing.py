"""A program that is stopped for a moment, so that several things happen before it sees the first of them.

Chance would decide otherwise which of them it meets first. This module must not know who is stopped, nor why.
"""

import contextlib
import signal
from collections.abc import Iterator

from harness.output import wait_until
from harness.program import Program
from harness.scenarios.verdicts import NotObservedError

_STOPS_WITHIN = 5.0


@contextlib.contextmanager
def frozen(program: Program) -> Iterator[None]:
    """Stop all its processes until the end of the block.

    Raises:
        NotObservedError: they could not be stopped.

    """
    program.signal_all(signal.SIGSTOP)
    try:
        if not wait_until(lambda: _is_stopped(program), _STOPS_WITHIN, program.ended):
            raise NotObservedError("its processes could not be stopped for a moment")
        yield
    finally:
        program.signal_all(signal.SIGCONT)


def _is_stopped(program: Program) -> bool:
    return set(program.statuses.values()) <= {"stopped"}
