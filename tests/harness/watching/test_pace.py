import pytest

from harness.watching.pace import pause


@pytest.mark.parametrize("cost", [0.0001, 0.004, 0.013, 0.5])
def test_an_idle_watch_takes_at_most_one_percent_of_a_core(cost: float) -> None:
    rest = pause(cost, urgent=False, has_events=False)
    assert cost / (cost + rest) <= 0.01


@pytest.mark.parametrize("cost", [0.0001, 0.004, 0.5])
def test_somebody_who_waits_gets_half_a_core_at_most(cost: float) -> None:
    rest = pause(cost, urgent=True, has_events=False)
    assert cost / (cost + rest) <= 0.5


def test_with_events_the_table_is_rarely_needed_however_urgent() -> None:
    assert pause(0.0001, urgent=True, has_events=True) >= 0.5
