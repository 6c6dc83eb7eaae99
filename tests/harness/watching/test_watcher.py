"""The watcher's thread: how long it rests, and what ends a rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from harness.rows import Endpoint, Snapshot
from harness.sources.choice import Sources
from harness.watching.rounds import Rounds
from harness.watching.watcher import Watcher
from tests.harness.pretended import EmptyTable


class Table(EmptyTable):
    """A table of which a look takes as long as `take` does."""

    def __init__(self, take: Callable[[], object]) -> None:
        self._take = take

    def look(self, endpoints: Iterable[Endpoint]) -> Snapshot:
        self._take()
        return super().look(endpoints)


@contextmanager
def watching(take: Callable[[], object]) -> Iterator[Watcher]:
    watcher = Watcher(Rounds(Sources(Table(take), None, ())))
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.stop()


def burn_a_tenth_of_a_second() -> None:
    """So much of the processor: a rest in proportion to it takes 10 s."""
    until = time.thread_time() + 0.1
    while time.thread_time() < until:
        pass


def test_a_busy_machine_does_not_lengthen_the_rest() -> None:
    # Waiting for the processor, or for anything else, costs nothing: by the clock, the rest would be 50 s.
    with watching(lambda: threading.Event().wait(0.5)) as watcher:
        for _ in range(3):
            done = watcher.rounds.done
            watcher.wait_for_round(done, timeout=20)
            assert watcher.rounds.done > done


def test_who_may_spend_more_does_not_wait_for_the_end_of_a_rest() -> None:
    with watching(burn_a_tenth_of_a_second) as watcher:
        watcher.wait_for_round(1, timeout=20)  # the thread's first, after which it rests
        done = watcher.rounds.done
        watcher.spend(0.9)
        watcher.wait_for_round(done, timeout=8)

        assert watcher.rounds.done > done
