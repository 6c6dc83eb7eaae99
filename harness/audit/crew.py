"""The workers of an audit: one for each of --jobs, replaced when it hangs or dies.

This module must not know what the tasks are.
"""

import multiprocessing
import os
import threading
from contextlib import suppress
from pathlib import Path

import psutil

from harness.audit.worker import MARK, Answer, Task, work

_LEAVES_WITHIN = 10.0
"""Seconds in which a worker that is told to end has ended its subject."""


class WorkerLostError(Exception):
    """A worker gave no answer: it hung, died, or was told to end. Says which."""


class Worker:
    """One worker process, started when it is first asked, and again after it was lost."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: multiprocessing.process.BaseProcess | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def ask(self, task: Task, within: float) -> Answer:
        """Have a task done.

        Raises:
            WorkerLostError: there is no answer within so many seconds, or never will be.

        """
        self._start()
        try:
            self._pipe.send(task)
            if not self._pipe.poll(within):
                self._end()
                raise WorkerLostError(f"it did not come to an end within {within:g} s")
            answer: Answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            why = self._why_gone()
            _end_what_is_left(self._mark)
            raise WorkerLostError(why) from error
        return answer

    def stop(self) -> None:
        """End it, with the subject that it plays with; `ask` then raises. May be called from any thread."""
        self._stopped = True
        self._end()

    def kill(self) -> None:
        """The same at once, without a chance to end in order. A signal handler may call it during `stop`."""
        self._stopped = True
        if self._process is not None and self._process.is_alive():
            _kill_with_all(self._process, self._mark)

    def _start(self) -> None:
        with self._lock:
            if self._stopped:
                raise WorkerLostError("the audit was interrupted")
            if self._process is not None and self._process.is_alive():
                return
            context = multiprocessing.get_context("spawn")  # no lock or thread of ours is copied
            self._pipe, theirs = context.Pipe()
            self._mark = os.urandom(8).hex()
            self._process = context.Process(target=work, args=(theirs, self._folder, self._mark))
            self._process.start()
            theirs.close()

    def _why_gone(self) -> str:
        if self._stopped:
            return "the audit was interrupted"
        assert self._process is not None
        self._process.join(_LEAVES_WITHIN)
        return f"its worker died with code {self._process.exitcode}"

    def _end(self) -> None:
        """Ask it to end, then end it and whatever it has started."""
        with self._lock:
            process = self._process
            if process is None or not process.is_alive():
                return
            process.terminate()
            process.join(_LEAVES_WITHIN)
            _kill_with_all(process, self._mark)
            process.join()


def _kill_with_all(process: multiprocessing.process.BaseProcess, mark: str) -> None:
    """Kill a worker and what it has started, those too that have written over their environment."""
    started: list[psutil.Process] = []
    with suppress(psutil.Error):  # found first: when it is dead, nobody can say whose children they were
        started = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for each in started:
        with suppress(psutil.Error):
            each.kill()
    _end_what_is_left(mark)


def _end_what_is_left(mark: str) -> None:
    """End the programs of a worker that had no time to end them: a subject is not left to run on."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it has ended, or is somebody else's
            if process.environ().get(MARK) == mark:
                process.suspend()  # or what it starts just now would be lost with it
                for each in (*process.children(recursive=True), process):
                    each.kill()
