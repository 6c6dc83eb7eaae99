from __future__ import annotations

import pytest

from finproxy.observers import Recorder
from finproxy.records import Record

ONE, TWO = (Record(event, 0.0, 0.0) for event in ("fin.received", "fin.sent"))


def test_every_observer_is_told_every_record_in_order() -> None:
    first, second = list[Record](), list[Record]()
    recorder = Recorder([first.append, second.append])
    recorder.emit(ONE)
    recorder.emit(TWO)
    assert first == second == [ONE, TWO]


def test_a_recorder_without_observers_is_false_so_that_records_need_not_be_built() -> None:
    seen: list[Record] = []
    recorder = Recorder()
    assert not recorder
    recorder.add(seen.append)
    assert recorder


def test_an_observer_is_told_what_happens_between_adding_and_removing_it() -> None:
    seen: list[Record] = []
    observer = seen.append
    recorder = Recorder()
    recorder.emit(ONE)
    recorder.add(observer)
    recorder.emit(TWO)
    recorder.remove(observer)
    recorder.emit(ONE)
    assert seen == [TWO]


def test_removing_an_observer_twice_does_no_harm() -> None:
    recorder = Recorder()
    recorder.remove(print)
    assert not recorder


def test_an_observer_that_raises_is_logged_and_unplugged_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[Record] = []
    seen: list[Record] = []

    def failing(record: Record) -> None:
        calls.append(record)
        raise OSError("the disk is full")

    recorder = Recorder([failing, seen.append])
    recorder.emit(ONE)
    recorder.emit(TWO)
    assert calls == [ONE]
    assert seen == [ONE, TWO]
    assert "an observer failed and was unplugged" in caplog.text
    assert "the disk is full" in caplog.text


def test_an_observer_may_unplug_itself_while_it_is_told() -> None:
    seen: list[Record] = []

    def once(record: Record) -> None:
        seen.append(record)
        recorder.remove(once)

    recorder = Recorder([once, seen.append])
    recorder.emit(ONE)
    recorder.emit(TWO)
    assert seen == [ONE, ONE, TWO]
