"""The demo's processes as seen from here: started, told what to do, and ended.

This module must not know what they are told (walks.py, stage.py) nor what becomes of it.
"""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from harness.errors import HarnessError

_END = Path(__file__).with_name("end.py")
_PATIENCE = 10.0


class ActorError(HarnessError):
    """A process of the demo could not do what it was told."""


class Actor:
    """A process that runs end.py. One caller at a time: each line waits for its answer."""

    def __init__(self, name: str, process: trio.Process) -> None:
        self.name = name
        self.pid = process.pid
        self._process = process
        self._heard = b""

    async def do(self, act: str, *arguments: object) -> str:
        """Have it call this method of `End`, and return the answer.

        Raises:
            ActorError: it failed, ended, or did not answer.

        """
        assert self._process.stdin is not None
        line = " ".join([act, *map(str, arguments)]) + "\n"
        try:
            with trio.fail_after(_PATIENCE):
                await self._process.stdin.send_all(line.encode())
                answer = await self._next_line()
        except (trio.BrokenResourceError, trio.TooSlowError) as error:
            raise ActorError(f"expected the {self.name} process to {act}, found no answer") from error
        outcome, _, rest = answer.partition(" ")
        if outcome != "ok":
            raise ActorError(f"expected the {self.name} process to {act}, found that it {answer!r}")
        return rest

    async def _next_line(self) -> str:
        assert self._process.stdout is not None
        while b"\n" not in self._heard:
            some = await self._process.stdout.receive_some()
            if not some:
                raise ActorError(f"expected the {self.name} process to go on, found that it has ended")
            self._heard += some
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode()


@asynccontextmanager
async def actor(name: str) -> AsyncIterator[Actor]:
    """Start a process and end it with the block."""
    try:
        process = await trio.lowlevel.open_process(
            # Isolated: nothing in the user's folder or environment can take the place of what it imports.
            [sys.executable, "-I", str(_END)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # The terminal's Ctrl-C is for the demo, which ends its processes itself.
            start_new_session=True,
        )
    except OSError as error:
        raise ActorError(f"expected {sys.executable} to start as {name}, found {error.strerror}") from error
    try:
        yield Actor(name, process)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    await stream.aclose()
