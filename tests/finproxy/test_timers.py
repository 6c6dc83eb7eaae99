from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import trio
from trio.testing import MockClock

from finproxy.timers import Timers


class Calls(list[tuple[str, float]]):
    """Names and times of the calls that were made."""

    def called(self, name: str) -> Callable[[], None]:
        return lambda: self.append((name, trio.current_time()))


async def test_calls_are_made_in_the_order_in_which_they_are_due(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    timers, calls, start = Timers(), Calls(), trio.current_time()
    timers.call_at(start + 2, calls.called("second"))
    timers.call_at(start + 1, calls.called("first"))
    nursery.start_soon(timers.run)
    await trio.sleep(3)
    assert calls == [("first", start + 1), ("second", start + 2)]


async def test_calls_due_at_one_time_are_made_in_the_order_in_which_they_were_asked_for(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    timers, calls, start = Timers(), Calls(), trio.current_time()
    for name in "abc":
        timers.call_at(start + 1, calls.called(name))
    nursery.start_soon(timers.run)
    await trio.sleep(2)
    assert [name for name, _ in calls] == ["a", "b", "c"]


async def test_an_earlier_deadline_shortens_a_sleep_under_way(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    timers, calls, start = Timers(), Calls(), trio.current_time()
    timers.call_at(start + 10, calls.called("late"))
    nursery.start_soon(timers.run)
    await trio.sleep(1)
    timers.call_at(start + 2, calls.called("early"))
    await trio.sleep(2)
    assert calls == [("early", start + 2)]


async def test_a_cancelled_call_is_not_made(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    timers, calls = Timers(), Calls()
    deadline = timers.call_at(trio.current_time() + 1, calls.called("never"))
    nursery.start_soon(timers.run)
    deadline.cancel()
    deadline.cancel()
    await trio.sleep(2)
    assert calls == []


async def test_a_call_may_ask_for_another_one_or_cancel_it(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    timers, calls, start = Timers(), Calls(), trio.current_time()
    never = timers.call_at(start + 1, calls.called("never"))
    timers.call_at(start + 0.5, never.cancel)

    def call_again() -> None:
        timers.call_at(start + 2, calls.called("again"))

    timers.call_at(start + 1, call_again)
    nursery.start_soon(timers.run)
    await trio.sleep(3)
    assert calls == [("again", start + 2)]


async def test_a_deadline_that_has_passed_is_met_at_once(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    timers, calls, start = Timers(), Calls(), trio.current_time()
    nursery.start_soon(timers.run)
    await trio.testing.wait_all_tasks_blocked()
    timers.call_at(start - 5, calls.called("overdue"))
    await trio.testing.wait_all_tasks_blocked()
    assert calls == [("overdue", start)]


async def test_a_call_is_pending_until_it_is_made_or_cancelled(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    timers = Timers()
    made, cancelled = (timers.call_at(trio.current_time() + 1, lambda: None) for _ in range(2))
    pending = [made.pending, cancelled.pending]
    cancelled.cancel()
    pending += [made.pending, cancelled.pending]
    nursery.start_soon(timers.run)
    await trio.sleep(2)
    assert [*pending, made.pending] == [True, True, True, False, False]


async def test_cancelled_deadlines_do_not_pile_up(autojump_clock: MockClock) -> None:
    timers = Timers()
    for _ in range(1000):
        timers.call_at(trio.current_time() + 3600, print).cancel()
    assert len(timers._heap) <= 200


async def test_what_a_cancelled_call_refers_to_is_free_at_once(autojump_clock: MockClock) -> None:
    class Session:
        def act(self) -> None: ...

    session, timers = Session(), Timers()
    reference = weakref.ref(session)
    timers.call_at(trio.current_time() + 3600, session.act).cancel()
    del session
    gc.collect()
    assert reference() is None
