"""What counts as seen: both ends, in their states, at one moment, shown by a source."""

import pytest

from harness.demo.judging import EndSeen, seen, together, why_not
from harness.demo.walks import Step
from harness.states import TcpState as S
from tests.harness.drawing.tracks import CLIENT, SERVER, MadeTrack, track

STEP = Step(3, "the client's FIN is let in", S.FIN_WAIT_2, S.CLOSE_WAIT)
SERVER_WAITS = track(SERVER, "ESTABLISHED 0 > CLOSE-WAIT 2")


def test_the_first_moment_at_which_both_are_there_counts() -> None:
    client = track(CLIENT, "ESTABLISHED 0 > FIN-WAIT-1 1 > FIN-WAIT-2 3 > TIME-WAIT 5")

    assert together(STEP, client, SERVER_WAITS, since=0) == 3
    assert together(STEP, client, SERVER_WAITS, since=4) == 4
    assert together(STEP, client, SERVER_WAITS, since=5) is None


def test_being_there_one_after_the_other_does_not_count() -> None:
    client = track(CLIENT, "ESTABLISHED 0 > FIN-WAIT-1 1 > FIN-WAIT-2 3")
    server = track(SERVER, "ESTABLISHED 0 > CLOSE-WAIT 1.5 > LAST-ACK 2")

    assert together(STEP, client, server, since=0) is None
    assert why_not("server", server, S.CLOSE_WAIT) == "the server has gone on to LAST-ACK already"


def test_a_state_that_was_inferred_is_not_seen() -> None:
    client = track(CLIENT, "ESTABLISHED 0 > (FIN-WAIT-1) 1 > FIN-WAIT-2 3")
    step = Step(1, "", S.FIN_WAIT_1, S.ESTABLISHED)

    assert together(step, client, track(SERVER, "ESTABLISHED 0"), since=0) is None
    assert "inferred from the next, not seen" in why_not("client", client, S.FIN_WAIT_1)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("ESTABLISHED 0", "the client did not reach FIN-WAIT-2: it is in ESTABLISHED"),
        ("ESTABLISHED 0 > FIN-WAIT-1 1 > FIN-WAIT-2 2", ""),
    ],
)
def test_a_reason_names_the_end_and_where_it_is(written: str, why: str) -> None:
    assert why_not("client", track(CLIENT, written), S.FIN_WAIT_2) == why


def test_an_end_that_no_source_shows_is_not_called_closed() -> None:
    nowhere = MadeTrack([])

    assert seen(nowhere, S.CLOSED, None) == EndSeen(S.CLOSED, None)
    assert "nothing of the server's end was seen" in why_not("server", nowhere, S.CLOSED)


def test_what_is_shown_is_what_was_there_at_that_moment() -> None:
    client = track(CLIENT, "ESTABLISHED 0 > FIN-WAIT-1 1 > FIN-WAIT-2 3")

    assert seen(client, S.FIN_WAIT_1, 2).observed is S.FIN_WAIT_1
    assert seen(client, S.FIN_WAIT_1, 2).ok
    assert not seen(client, S.FIN_WAIT_1, None).ok
