"""The journal: each record as one line of JSON, in the order in which things happened.

This module must not know what a record means.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import IO

from .errors import FinproxyError
from .records import Record


class JournalError(FinproxyError):
    """The journal cannot be written."""


class Journal:
    """An observer that writes JSON Lines. Each line is flushed: what happened is there after a crash."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    @classmethod
    def open(cls, path: str) -> Journal:
        """Write to a file, anew, or to standard output for ``-``.

        Raises:
            JournalError: the file cannot be opened.
        """
        if path == "-":
            return cls(sys.stdout)
        try:
            return cls(Path(path).open("w", encoding="utf-8"))
        except OSError as error:
            raise JournalError(f"cannot write the journal {path}: {error.strerror}") from error

    def __call__(self, record: Record) -> None:
        """Write one record."""
        self._out.write(json.dumps(record.as_dict(), ensure_ascii=False) + "\n")
        self._out.flush()

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self._out is not sys.stdout:
            self._out.close()
