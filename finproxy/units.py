"""Durations and sizes as people write them: ``250ms``, ``1m30s``, ``64KiB``.

Seconds are floats and bytes are ints everywhere else; this module alone knows their spelling.
"""

from __future__ import annotations

from .reading import NotationError, Reader, did_you_mean, read_whole

# Largest first: formatting takes as much as it can of each in turn.
TIME_UNITS = {"h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
SIZE_UNITS = {"GiB": 1024**3, "MiB": 1024**2, "KiB": 1024, "B": 1}

# Bounds, so that every text that is read is a number that floats hold exactly and can be written back.
_LONGEST_HOURS = 100_000
_SIZE_DIGITS = 18


def parse_duration(text: str) -> float:
    """Seconds from ``250ms``, ``2s`` or ``1m30s``; the finest unit is the microsecond."""
    return read_whole(text, read_duration)


def format_duration(seconds: float) -> str:
    """``1m30s`` for 90.0; rounded to whole microseconds, though never to nothing."""
    if seconds == 0:
        return "0s"
    rest = max(1, round(seconds * 1_000_000))
    parts = []
    for unit, size in TIME_UNITS.items():
        count, rest = divmod(rest, size)
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts)


def counted(number: int, what: str) -> str:
    """``1 session``, ``2 sessions``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def parse_size(text: str) -> int:
    """Bytes from ``1000`` or ``64KiB``."""
    return read_whole(text, read_size)


def format_size(count: int) -> str:
    """``64KiB`` for 65536; small or odd numbers stay as they are."""
    if count < 64 * 1024 or count % 1024:
        return str(count)
    unit, size = next((unit, size) for unit, size in SIZE_UNITS.items() if count % size == 0)
    return f"{count // size}{unit}"


def read_duration(reader: Reader) -> float:
    """A duration at the cursor, in seconds."""
    start, microseconds = reader.column, 0.0
    while number := reader.take(r"\d+(\.\d+)?(?=[A-Za-z])", spaces=False):
        unit = reader.take(r"(us|ms|s|m|h)(?![A-Za-z])", spaces=False)
        if unit is None:
            reader.fail("a unit of time (us, ms, s, m, h)")
        microseconds += float(number) * TIME_UNITS[unit]
    if reader.column == start or reader.take(r"[\w.]", spaces=False):
        raise _no_duration(reader.text, start, "such as 250ms, 2s or 1m30s")
    if microseconds > _LONGEST_HOURS * TIME_UNITS["h"]:
        raise _no_duration(reader.text, start, f"of at most {_LONGEST_HOURS}h")
    reader.take(r"\s*")
    return round(microseconds) / 1_000_000


def _no_duration(text: str, column: int, which: str) -> NotationError:
    words = text[column - 1 :].split()
    found = repr(words[0]) if words else "the end"
    return NotationError(text, column, f"expected a duration {which}, found {found}")


def read_size(reader: Reader) -> int:
    """A number of bytes at the cursor."""
    column = reader.column
    number = reader.take(r"\d+", spaces=False)
    if number is None:
        reader.fail("a number of bytes such as 1000 or 64KiB")
    if len(number) > _SIZE_DIGITS:
        raise NotationError(
            reader.text,
            column,
            f"expected a number of bytes below {10**_SIZE_DIGITS}, found {len(number)} digits",
        )
    column = reader.column
    unit = reader.take(r"[A-Za-z]+", spaces=False) or "B"
    reader.take(r"\s*")
    if unit not in SIZE_UNITS:
        problem = f"expected a unit of size ({', '.join(SIZE_UNITS)}), found '{unit}'"
        raise NotationError(reader.text, column, problem + did_you_mean(unit, SIZE_UNITS))
    return int(number) * SIZE_UNITS[unit]
