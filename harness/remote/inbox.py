"""News from a thread to whoever reads them: by `select`, or by waiting for what the thread has come to know.

This module must not know what the news are.
"""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """What one thread puts in and another takes out; its `fileno` is readable where there may be news."""

    def __init__(self) -> None:
        self._news: deque[T] = deque()
        self._told = threading.Condition()
        self._wake_end, self._wake_here = socket.socketpair()
        self._wake_here.setblocking(False)

    def fileno(self) -> int:
        """Return what becomes readable with news."""
        return self._wake_end.fileno()

    def take(self) -> list[T]:
        """Return the news since the last call."""
        with contextlib.suppress(BlockingIOError):
            self._wake_end.recv(1 << 16, socket.MSG_DONTWAIT)
        with self._told:
            news = list(self._news)
            self._news.clear()
        return news

    @contextlib.contextmanager
    def telling(self, news: Iterable[T] = ()) -> Iterator[None]:
        """Put news in, together with what is changed in the block, and wake all who wait."""
        with self._told:
            yield
            self._news.extend(news)
            self._told.notify_all()
        # A full buffer is as good: it is readable.
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_here.send(b"!")

    def wait_for(self, known: Callable[[], bool], within: float) -> bool:
        """Wait until `known` is true, asking again whenever something is told; False if it never was."""
        with self._told:
            return self._told.wait_for(known, within)

    def close(self) -> None:
        """Give its sockets up; what is told from now on wakes nobody."""
        self._wake_end.close()
        self._wake_here.close()
