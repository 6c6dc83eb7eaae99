"""The named ladders and Table 154 against the table of legal transitions and against each other."""

import itertools

import pytest

from harness import ladders
from harness.ladders import TABLE_154, TABLE_154_LADDERS, Ladder
from harness.ladders.legal import is_legal
from harness.states import TcpState as S

NAMED = [value for value in vars(ladders).values() if isinstance(value, Ladder)]


@pytest.mark.parametrize("ladder", NAMED, ids=lambda ladder: ladder.name)
def test_a_prescribed_ladder_is_legal_and_names_its_source(ladder: Ladder) -> None:
    assert all(is_legal(a, b) for a, b in itertools.pairwise(ladder.states))
    assert ladder.source.startswith("RFC 9293")


def test_each_row_of_table_154_begins_where_the_row_above_ended() -> None:
    for above, row in itertools.pairwise(TABLE_154):
        assert (row.client_before, row.server_before) == above.after


def test_each_row_of_table_154_moves_its_ends_legally_or_not_at_all() -> None:
    for row in TABLE_154:
        for before, after in ((row.client_before, row.client_after), (row.server_before, row.server_after)):
            assert before is after or is_legal(before, after)


def test_table_154_goes_from_established_to_closed_in_eight_rows() -> None:
    assert [row.number for row in TABLE_154] == list(range(1, 9))
    assert (TABLE_154[0].client_before, TABLE_154[0].server_before) == (S.ESTABLISHED, S.ESTABLISHED)
    assert TABLE_154[-1].after == (S.CLOSED, S.CLOSED)


def test_rows_two_and_five_are_those_that_only_a_held_fin_can_show() -> None:
    assert TABLE_154[1].after == (S.FIN_WAIT_1, S.CLOSE_WAIT)
    assert TABLE_154[4].after == (S.TIME_WAIT, S.LAST_ACK)


def test_the_columns_of_table_154_are_the_active_and_the_passive_ladder() -> None:
    assert str(TABLE_154_LADDERS.client) == "ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT > CLOSED"
    assert str(TABLE_154_LADDERS.server) == "ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED"


def test_a_mirrored_row_has_the_ends_exchanged() -> None:
    row = TABLE_154[1].mirrored()
    assert row.after == (S.CLOSE_WAIT, S.FIN_WAIT_1)
    assert row.mirrored() == TABLE_154[1]
