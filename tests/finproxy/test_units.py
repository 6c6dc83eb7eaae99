from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finproxy.reading import NotationError
from finproxy.units import format_duration, format_size, parse_duration, parse_size

from .strategies import counts, durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("250ms", 0.25),
        ("2s", 2),
        ("1m30s", 90),
        ("1h", 3600),
        ("1h1m1s1ms1us", 3661.001001),
        ("1.5s", 1.5),
        ("0.25ms", 0.00025),
        (" 2s ", 2),
    ],
)
def test_durations_are_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "250ms"), (90, "1m30s"), (3600, "1h"), (0.0000004, "1us"), (1.0000004, "1s")],
)
def test_durations_are_written_with_the_largest_units_that_fit(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(durations)
def test_a_written_duration_reads_as_the_same(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("", 1, "expected a duration such as 250ms, 2s or 1m30s, found the end"),
        ("soon", 1, "expected a duration such as 250ms, 2s or 1m30s, found 'soon'"),
        ("5", 1, "expected a duration such as 250ms, 2s or 1m30s, found '5'"),
        ("2s5", 1, "expected a duration such as 250ms, 2s or 1m30s, found '2s5'"),
        ("-1s", 1, "expected a duration such as 250ms, 2s or 1m30s, found '-1s'"),
        ("2d", 2, "expected a unit of time (us, ms, s, m, h), found 'd'"),
        ("2 s", 1, "expected a duration such as 250ms, 2s or 1m30s, found '2'"),
        ("2s 3s", 4, "expected nothing more, found '3s'"),
        ("9999999h", 1, "expected a duration of at most 100000h, found '9999999h'"),
        ("9" * 400 + "s", 1, "expected a duration of at most 100000h"),
    ],
)
def test_what_is_not_a_duration_is_answered_with_the_column(text: str, column: int, expected: str) -> None:
    with pytest.raises(NotationError) as caught:
        parse_duration(text)
    assert caught.value.column == column
    assert caught.value.problem.startswith(expected)


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("1000", 1000), ("1000B", 1000), ("64KiB", 65536), ("2MiB", 2**21), ("1GiB", 2**30)],
)
def test_sizes_are_read_in_bytes(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize(
    ("count", "text"),
    [(1000, "1000"), (1024, "1024"), (65536, "64KiB"), (65537, "65537"), (2**20, "1MiB"), (2**30, "1GiB")],
)
def test_sizes_take_a_unit_where_it_is_exact_and_shorter(count: int, text: str) -> None:
    assert format_size(count) == text


@given(counts)
def test_a_written_size_reads_as_the_same(count: int) -> None:
    assert parse_size(format_size(count)) == count


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("", 1, "expected a number of bytes such as 1000 or 64KiB, found the end"),
        ("many", 1, "expected a number of bytes such as 1000 or 64KiB, found 'many'"),
        ("64kib", 3, "expected a unit of size (GiB, MiB, KiB, B), found 'kib'; did you mean 'KiB'?"),
        ("64XY", 3, "expected a unit of size (GiB, MiB, KiB, B), found 'XY'"),
        ("1.5KiB", 2, "expected nothing more, found '.5KiB'"),
        ("64 KiB", 4, "expected nothing more, found 'KiB'"),
        ("9" * 5000, 1, "expected a number of bytes below 1000000000000000000"),
    ],
)
def test_what_is_not_a_size_is_answered_with_the_column(text: str, column: int, expected: str) -> None:
    with pytest.raises(NotationError) as caught:
        parse_size(text)
    assert caught.value.column == column
    assert caught.value.problem.startswith(expected)


@given(st.text() | st.from_regex(r"[0-9.smhu ]*[KMGi]*B?"))
def test_no_text_raises_anything_but_a_notation_error(text: str) -> None:
    for parse in (parse_duration, parse_size):
        column = 1
        try:
            parse(text)
        except NotationError as error:
            column = error.column
        assert 1 <= column <= len(text) + 1
