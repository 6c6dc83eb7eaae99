"""The thread that does round after round, and wakes whoever waits for what they show.

Rounds run on this thread, or on the thread of a caller who asks for a fresh look, never on both at once.
This module must not know what a round does or what anybody waits for.
"""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from harness.errors import SourceUnavailableError
from harness.rows import Endpoint
from harness.transitions import SegmentEvent
from harness.watching.pace import IDLE_SHARE, pause
from harness.watching.rounds import EVENTS_CATCH_UP, Rounds

# After a transition the next ones usually follow at once.
_STAYS_URGENT = 0.25


class Watcher:
    """Follows endpoints until it is stopped. Public methods may be called from any thread.

    `failure` is the error of a source that ceased to work; the thread has then ended, and what was known
    before stays as it is: an endpoint is not called closed because nobody can look any more.
    """

    def __init__(self, rounds: Rounds) -> None:
        self.rounds = rounds
        self._idle_share = IDLE_SHARE
        self.failure: SourceUnavailableError | None = None
        self._round_lock = threading.RLock()
        self._news = threading.Condition()
        self._callbacks: set[Callable[[], None]] = set()
        self._waiting = 0
        self._full_look_due = 0.0
        self._stopping = False
        self._closed = False
        self._wake_end, self._wake_here = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="harness watcher", daemon=True)

    @property
    def is_over(self) -> bool:
        """Whether no more rounds will be done."""
        return self._closed

    @property
    def notes(self) -> tuple[str, ...]:
        """What limits this watch: unusable sources, lost events, a source that ceased to work."""
        sources = self.rounds.sources
        lost = sources.events.lost if sources.events is not None else 0
        notes = [*sources.notes, *(note for source in self.rounds.far for note in source.notes)]
        if lost:
            notes.append(
                f"tracepoint: the kernel dropped {lost} events; rungs of busy moments may be missing"
            )
        if self.failure is not None:
            notes.append(str(self.failure))
        return tuple(notes)

    def start(self) -> None:
        """Take the first look, so that states are known at once, and go on in the background."""
        try:
            self.refresh()
        except SourceUnavailableError:
            self._close()
            raise
        self._thread.start()

    def stop(self) -> None:
        """Take a last look, so that nothing that happened before this call is missing, and end."""
        self._stopping = True
        self._wake()
        self._thread.join()
        try:
            if self.failure is None:
                self.refresh()
        finally:
            self._close()

    def follow(self, endpoints: Iterable[Endpoint]) -> None:
        """Follow more endpoints; once started, their states are known when this returns."""
        with self._round_lock:
            new = self.rounds.follow(endpoints)
            if new and self._thread.is_alive():
                self.rounds.do(new)

    def testify(self, event: SegmentEvent) -> None:
        """Take in what somebody else knows of a segment. A source here that reports segments knows better."""
        events = self.rounds.sources.events
        if events is not None and events.sees_resets:
            return
        with self._round_lock:
            self.rounds.take_in([event])
        self._announce()

    def forget(self, endpoints: Iterable[Endpoint]) -> None:
        """Follow these endpoints no more."""
        with self._round_lock:
            self.rounds.forget(endpoints)

    def refresh(self) -> None:
        """Look at the table and read events now, on the calling thread. Does nothing after stop()."""
        with self._round_lock:
            if not self._closed:
                self.rounds.ask_far()
                self.rounds.do(self.rounds.live(), discover=True)
        self._announce()

    def spend(self, idle_share: float) -> None:
        """Let looking take this share of a core while nobody waits. A rest by the share of before ends."""
        self._idle_share = idle_share
        self._wake()

    @contextmanager
    def urgently(self) -> Iterator[None]:
        """Look as often as reasonable while the body runs."""
        self._count_waiting(1)
        self._wake()
        try:
            yield
        finally:
            self._count_waiting(-1)

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` on the watcher's thread after each round while the body runs."""
        self._callbacks.add(callback)
        try:
            yield
        finally:
            self._callbacks.discard(callback)

    def wait_for_round(self, seen_rounds: int, timeout: float) -> None:
        """Block until more than `seen_rounds` rounds are done, the watcher failed, or `timeout` is over."""
        with self._news:
            self._news.wait_for(lambda: self.rounds.done > seen_rounds or self.failure is not None, timeout)

    def _run(self) -> None:
        rest = 0.0
        while not self._stopping:
            self._rest(rest)
            try:
                rest = self._timed_round()
            except SourceUnavailableError as error:
                self.failure = error
                self._announce()
                return
            self._announce()

    def _timed_round(self) -> float:
        """Do a round and return how long to rest. With events, the whole table is looked at only when due."""
        rounds, has_events = self.rounds, self.rounds.sources.events is not None
        with self._round_lock:
            # What it costs is time of the processor: on a busy machine, time by the clock is mostly that of
            # others, and resting in proportion to it would blind the watch for seconds.
            began = time.thread_time()
            is_due = not has_events or time.monotonic() >= self._full_look_due
            rounds.do(rounds.live() if is_due else rounds.table_only(), discover=is_due)
            cost, ended = time.thread_time() - began, time.monotonic()
        urgent = self._waiting > 0 or ended - rounds.changed_at < _STAYS_URGENT
        if is_due:
            self._full_look_due = ended + self._pause(cost, urgent=urgent, has_events=has_events)
        if rounds.has_loose_ends():
            return EVENTS_CATCH_UP
        rest = max(0.0, self._full_look_due - ended)
        if rounds.table_only():
            rest = min(rest, self._pause(cost, urgent=urgent, has_events=False))
        return rest

    def _pause(self, cost: float, *, urgent: bool, has_events: bool) -> float:
        return pause(cost, urgent=urgent, has_events=has_events, idle_share=self._idle_share)

    def _rest(self, seconds: float) -> None:
        """Wait until there are events, until somebody gets impatient, or `seconds` at most."""
        events = self.rounds.sources.events
        listened = [self._wake_end.fileno(), *(source.fileno() for source in self.rounds.far)]
        if events is not None:
            listened.append(events.fileno())
        ready, _, _ = select.select(listened, [], [], seconds)
        if self._wake_end.fileno() in ready:
            self._wake_end.recv(4096)

    def _count_waiting(self, change: int) -> None:
        with self._news:
            self._waiting += change

    def _wake(self) -> None:
        if not self._closed:
            self._wake_here.send(b"!")

    def _close(self) -> None:
        self._closed = True
        self.rounds.sources.close()
        for source in self.rounds.far:
            source.close()
        self._wake_end.close()
        self._wake_here.close()

    def _announce(self) -> None:
        with self._news:
            self._news.notify_all()
        for callback in list(self._callbacks):
            callback()
