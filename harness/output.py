"""What a program prints: read on a thread, as it comes, and kept as a tail of bounded size.

The reader must never stop: a program whose pipe is full hangs, and would be blamed for it. This module must
not know what prints, nor what is looked for.
"""

import os
import re
import threading
import time
from collections.abc import Callable

_KEPT = 64 * 1024
"""Bytes of the tail; a program may print gigabytes."""


class Output:
    """The end of a pipe that a program writes to. `write_end` is what the program is given."""

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        # Sent through the pipe behind all that was printed: only then is the tail known to be complete. EOF
        # would not do, since a process that outlives the program may hold the pipe open.
        self._marker = f"\0end of output {os.urandom(8).hex()}\0".encode()
        self._tail = bytearray()
        self._dropped = 0
        self._markers = 0
        self._ended = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="harness output", daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        """What was printed; the last 64 KiB of it if it was more, which is then said."""
        with self._news:
            text = self._tail.decode(errors="replace")
            return f"[{self._dropped} bytes before this were not kept]\n{text}" if self._dropped else text

    def last_lines(self, count: int = 20) -> str:
        """The last lines, or a sentence where there are none."""
        return "\n".join(self.text.splitlines()[-count:]) or "(it printed nothing)"

    def wait_for(self, pattern: str | re.Pattern[str], gives_up: Callable[[], bool], within: float) -> bool:
        """Wait until what was printed matches; False after `within` seconds, or once `gives_up` says so."""
        expression = re.compile(pattern)
        with self._news:
            self._news.wait_for(lambda: bool(expression.search(self.text)) or gives_up(), within)
            return bool(expression.search(self.text))

    def wake(self) -> None:
        """Let those who wait ask again whether to give up."""
        with self._news:
            self._news.notify_all()

    def complete(self, within: float = 5.0) -> None:
        """Return once all that was printed before this call has been read."""
        with self._news:
            if self._ended:
                return
            wanted = self._markers + 1
        os.write(self.write_end, self._marker)
        with self._news:
            self._news.wait_for(lambda: self._markers >= wanted, within)

    def close(self) -> None:
        """Read what is left and end the thread."""
        if self._ended:
            return
        self._ended = True
        os.write(self.write_end, self._marker)
        self._thread.join()
        os.close(self.write_end)
        os.close(self._read_end)

    def _read(self) -> None:
        ending = False
        while not ending:
            some = os.read(self._read_end, 65536)
            with self._news:
                found = self._take(some)
                ending = self._ended and found
                self._news.notify_all()

    def _take(self, some: bytes) -> bool:
        """Add to the tail; whether a marker was in it."""
        self._tail += some
        found = self._tail.count(self._marker)
        if found:
            self._markers += found
            self._tail = self._tail.replace(self._marker, b"")
        surplus = len(self._tail) - _KEPT
        if surplus > 0:
            self._dropped += surplus
            del self._tail[:surplus]
        return bool(found)


def wait_until(
    done: Callable[[], bool], within: float, ended: threading.Event | None = None, pace: float = 0.01
) -> bool:
    """Ask again and again, for what announces itself by no event; at once when `ended` is set.

    Returns what `done` said last: after `within` seconds, or after the end.
    """
    ended = ended or threading.Event()
    deadline = time.monotonic() + within
    while not done():
        if ended.wait(min(pace, max(0.0, deadline - time.monotonic()))) or time.monotonic() >= deadline:
            return done()
    return True
