"""Whoever observes the records, and what happens to an observer that fails.

This module must not know what a record means.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from .records import Observer, Record

_log = logging.getLogger("finproxy")


class Recorder:
    """Gives each record to all observers. With none, nothing is built and nothing is spent."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = list(observers)

    def __bool__(self) -> bool:
        return bool(self._observers)

    def add(self, observer: Observer) -> None:
        """Tell `observer` everything from now on."""
        self._observers.append(observer)

    def remove(self, observer: Observer) -> None:
        """Tell it nothing more; it may have been unplugged already."""
        if observer in self._observers:
            self._observers.remove(observer)

    def emit(self, record: Record) -> None:
        """Tell all observers. One that raises is logged and unplugged: it must not disturb traffic."""
        for observer in tuple(self._observers):
            try:
                observer(record)
            except Exception:
                _log.exception("an observer failed and was unplugged: %r", observer)
                self.remove(observer)
