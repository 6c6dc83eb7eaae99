"""A cursor over one line of text, whose every complaint knows its column.

What the rule notation (notation.py) and the units (units.py) are read with. It must not know either.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import NoReturn, TypeVar

from .errors import UsageError

T = TypeVar("T")


class NotationError(UsageError):
    """A text that is not in the notation. Its message shows the text with a mark under the column."""

    def __init__(self, text: str, column: int, problem: str) -> None:
        self.text = text
        self.column = column
        """Where the problem is, counted from 1."""
        self.problem = problem
        super().__init__(f"column {column}: {problem}\n  {text}\n  {' ' * (column - 1)}^")


class Reader:
    """A cursor over one line; every complaint knows its column."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._at = 0
        self._skip_spaces()

    @property
    def column(self) -> int:
        """Where the cursor stands, counted from 1."""
        return self._at + 1

    @property
    def at_end(self) -> bool:
        """Whether the whole line has been read."""
        return self._at == len(self.text)

    def take(self, pattern: str, *, spaces: bool = True) -> str | None:
        """The text that matches here, consumed, or None; `spaces`: also what blank follows."""
        if (match := re.compile(pattern).match(self.text, self._at)) is None:
            return None
        self._at = match.end()
        if spaces:
            self._skip_spaces()
        return match.group()

    def expect(self, literal: str, what: str) -> None:
        """Consume `literal`, or complain that `what` was expected."""
        if self.take(re.escape(literal)) is None:
            self.fail(what)

    def choice(self, what: str, words: dict[str, T]) -> T:
        """The value of the word that stands here; the complaint names all of them."""
        start = self._at
        word = self.take(r"[A-Za-z]+(-[A-Za-z]+)*")
        if word not in words:
            self._at = start
            self.fail(f"{what} ({', '.join(words)})", did_you_mean(word, words))
        return words[word]

    def end(self, what: str) -> None:
        """Complain that `what` was expected unless the line ends here."""
        if not self.at_end:
            self.fail(what, did_you_mean(re.split(r"\s", self.text[self._at :])[0], ("at wire", "@")))

    def fail(self, expected: str, hint: str = "") -> NoReturn:
        """Raise the complaint: what was expected here, and the word that was found instead."""
        rest = re.compile(r"\w[\w-]*|\S+").match(self.text, self._at)
        found = f"'{rest.group()}'" if rest else "the end"
        raise NotationError(self.text, self.column, f"expected {expected}, found {found}{hint}")

    def _skip_spaces(self) -> None:
        self._at += len(self.text[self._at :]) - len(self.text[self._at :].lstrip())


def did_you_mean(word: str | None, words: Iterable[str]) -> str:
    """A hint to append to a complaint, or nothing where no known word is close."""
    by_lower = {known.lower(): known for known in words}
    close = difflib.get_close_matches((word or "").lower(), list(by_lower), n=1, cutoff=0.6)
    return f"; did you mean '{by_lower[close[0]]}'?" if close else ""


def read_whole(text: str, read: Callable[[Reader], T]) -> T:
    """What `read` finds, provided that it uses up the whole text."""
    reader = Reader(text)
    value = read(reader)
    reader.end("nothing more")
    return value
