"""The records of a proxy as they come in on one thread, and as others read and wait for them.

This module must not know what a record means.
"""

import json
import threading
from collections.abc import Callable, Sequence

import finproxy
from harness.errors import CheckFailedError


class RecordNotSeenError(CheckFailedError):
    """A record that was waited for did not come; the message holds those that did."""


class Story:
    """An observer that keeps all records in order; `on_record` is told each of them first."""

    def __init__(self, on_record: Callable[[finproxy.Record], None]) -> None:
        self._on_record = on_record
        self._records: list[finproxy.Record] = []
        self._news = threading.Condition()
        self._ended: BaseException | None = None

    def __call__(self, record: finproxy.Record) -> None:
        """Observe."""
        self._on_record(record)
        with self._news:
            self._records.append(record)
            self._news.notify_all()

    def end(self, failure: BaseException | None) -> None:
        """Nothing more will come, for this reason."""
        with self._news:
            self._ended = failure
            self._news.notify_all()

    def find(
        self, event: str = "", leg: str | None = None, session: int | None = None
    ) -> Sequence[finproxy.Record]:
        """The records so far: of this event, leg and session; a prefix such as ``fin`` will do."""
        with self._news:
            return [
                record
                for record in self._records
                if record.event.startswith(event)
                and (leg is None or (record.leg is not None and record.leg.value == str(leg)))
                and (session is None or record.session == session)
            ]

    def wait_for(
        self,
        event: str,
        leg: str | None = None,
        session: int | None = None,
        count: int = 1,
        within: float = 10.0,
    ) -> finproxy.Record:
        """Wait until there are `count` such records, those that came before included; the last of them.

        Raises:
            RecordNotSeenError: they have not come within so many seconds.

        """
        with self._news:
            self._news.wait_for(
                lambda: len(self.find(event, leg, session)) >= count or self._ended is not None, within
            )
            found = self.find(event, leg, session)
            if len(found) >= count:
                return found[count - 1]
            wanted = f"{event}{f' of the {leg}' if leg else ''}{f' in session {session}' if session else ''}"
            raise RecordNotSeenError(
                f"expected {count} record(s) {wanted} within {within:g} s, found {len(found)}\n"
                f"{self.journal(session)}"
            ) from self._ended

    def wait_until(self, is_it: Callable[[finproxy.Record], bool], within: float) -> None:
        """Wait until there is a record of which `is_it` says so, those before included."""
        with self._news:
            self._news.wait_for(lambda: any(map(is_it, self._records)) or self._ended is not None, within)

    def journal(self, session: int | None = None) -> str:
        """The records as the journal has them, one line each."""
        lines = [json.dumps(record.as_dict(), ensure_ascii=False) for record in self.find(session=session)]
        return "\n".join(lines) or "(no record)"
