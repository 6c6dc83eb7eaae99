"""Real programs: started from a directory of their own, ready when they say so, ended by their process id."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio

from .peers import patience


def need(*programs: str) -> None:
    """Skip the test where one of these is not installed; in CI that is a failure."""
    missing = [name for name in programs if not shutil.which(name, path=_path())]
    if missing and os.environ.get("CI"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def _path() -> str:
    """Servers live in directories that are not on everybody's path."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


@contextmanager
def free_port() -> Iterator[int]:
    """A port for a program that cannot choose one: nobody else is given it as long as the block lasts.

    A bound socket that does not listen keeps the port from the kernel's own choice, and lets whoever sets
    SO_REUSEADDR listen there.
    """
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


class Program:
    """A program at work, and everything that it has printed."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.pid = process.pid
        self.output = ""
        self._more = trio.Event()

    async def says(self, pattern: str) -> re.Match[str]:
        """Wait until its output matches."""
        with patience(f"'{pattern}' from {self.process.args!r}, which said: {self.output!r}"):
            while (match := re.search(pattern, self.output)) is None:
                assert self.process.returncode is None, f"it has ended and said: {self.output}"
                self._more = trio.Event()
                await self._more.wait()
        return match

    async def collect(self) -> None:
        """Read what it prints until it ends."""
        assert self.process.stdout is not None
        async for some in self.process.stdout:
            self.output += some.decode(errors="replace")
            self._more.set()
        await self.process.wait()
        self._more.set()


@asynccontextmanager
async def running(*command: str, ready: str, directory: Path | None = None) -> AsyncIterator[Program]:
    """A program that runs as long as the block, entered when it has said that it is ready."""
    process = await trio.lowlevel.open_process(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=directory,
        env={**os.environ, "PATH": _path(), "PYTHONUNBUFFERED": "1"},
    )
    program = Program(process)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(program.collect)
        try:
            await program.says(ready)
            yield program
        finally:
            process.terminate()
            with trio.CancelScope(shield=True):
                with trio.move_on_after(5):
                    await process.wait()
                process.kill()
                await process.wait()
            nursery.cancel_scope.cancel()


async def output_of(*command: str, stdin: bytes = b"") -> bytes:
    """What a client program prints; it must succeed."""
    with patience(f"the end of {command}"):
        done = await trio.run_process(
            command, stdin=stdin, capture_stdout=True, capture_stderr=True, check=False
        )
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr.decode()}"
    return done.stdout
