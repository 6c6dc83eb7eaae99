import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.ladders import Ladder, Rung, as_ladder
from harness.ladders.ladder import format_duration
from harness.states import TcpState as S

rungs = st.builds(
    Rung,
    st.sampled_from(list(S)),
    st.booleans(),
    st.one_of(st.none(), st.sampled_from([0.00025, 0.001, 0.5, 1.0, 1.5, 2.0, 60.0, 90.0])),
)


def test_the_notation_reads_as_it_is_written() -> None:
    ladder = Ladder.parse("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2? > TIME-WAIT (max 1.5s)")
    assert ladder.rungs == (
        Rung(S.ESTABLISHED),
        Rung(S.FIN_WAIT_1),
        Rung(S.FIN_WAIT_2, required=False),
        Rung(S.TIME_WAIT, at_most=1.5),
    )


@given(st.lists(rungs, min_size=1, max_size=8))
def test_parsing_what_was_formatted_gives_the_same_ladder(given_rungs: list[Rung]) -> None:
    ladder = Ladder(tuple(given_rungs))
    assert Ladder.parse(str(ladder)) == ladder


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("ESTABLISHED > FIN-WAIT-3", 14),
        ("ESTABLISHED > > TIME-WAIT", 14),
        ("ESTABLISHED > CLOSE-WAIT (at most 2s)", 14),
        ("", 1),
    ],
)
def test_a_text_that_is_no_ladder_is_refused_with_the_column(text: str, column: int) -> None:
    with pytest.raises(UsageError, match=f"column {column} of .*expected"):
        Ladder.parse(text)


def test_a_ladder_may_be_given_as_text_or_as_value() -> None:
    ladder = Ladder.parse("ESTABLISHED > CLOSED")
    assert as_ladder("ESTABLISHED > CLOSED") == ladder
    assert as_ladder(ladder) is ladder


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.00025, "250us"), (0.0015, "1.5ms"), (2, "2s"), (90, "1.5m"), (0, "0us")]
)
def test_durations_are_written_in_the_largest_unit_that_fits(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
