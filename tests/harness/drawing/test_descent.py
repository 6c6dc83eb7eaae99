from harness.drawing.descent import draw_descent, draw_mismatch
from harness.ladders import PASSIVE_CLOSE, match
from harness.rows import Owner, Snapshot, SocketRow
from harness.states import TcpState as S
from harness.transitions import SegmentEvent
from harness.watching.history import EndpointHistory
from tests.harness.drawing.tracks import CLIENT


def reset_in_close_wait() -> EndpointHistory:
    history = EndpointHistory(CLIENT)
    history.saw_owner(Owner(42, "curl"))
    for at, state in ((1.0, S.ESTABLISHED), (1.5, S.CLOSE_WAIT), (2.0, None)):
        row = SocketRow(CLIENT, state, "sock_diag", inode=7) if state else None
        history.saw_row(row, Snapshot("sock_diag", at, at, {CLIENT: row}))
    history.saw_segment(SegmentEvent("reset received", CLIENT, 1.9, "tracepoint", "TCP_FLAGS"))
    return history


def test_a_descent_tells_states_times_witnesses_and_the_owner() -> None:
    assert draw_descent("client", reset_in_close_wait(), notes=["psutil: not here"]) == (
        "client 127.0.0.1:50312 > 127.0.0.1:9000, curl[42]\n"
        "           0  ESTABLISHED   sock_diag\n"
        "      +500ms  CLOSE-WAIT    sock_diag, up to 500ms earlier\n"
        "         +1s  CLOSED        sock_diag, up to 500ms earlier\n"
        "  reset received at +900ms, TCP_FLAGS (tracepoint)\n"
        "  note: psutil: not here"
    )


def test_nothing_seen_is_said_in_words() -> None:
    text = draw_descent("client", EndpointHistory(CLIENT))
    assert "no row of this endpoint was ever seen" in text
    assert "owner unknown" in text


def test_a_mismatch_draws_expected_beside_observed() -> None:
    history = reset_in_close_wait()
    found = match(PASSIVE_CLOSE, history.transitions, now=2.0, strict=True)
    lines = draw_mismatch("client", found, history).splitlines()
    assert lines[1] == "  missing rung: expected LAST-ACK after CLOSE-WAIT, found CLOSED instead"
    assert lines[5].split() == [
        "CLOSE-WAIT",
        "CLOSE-WAIT",
        "+500ms",
        "sock_diag,",
        "up",
        "to",
        "500ms",
        "earlier",
    ]
    assert lines[6].split()[:3] == ["LAST-ACK", "!", "CLOSED"]
    assert lines[7].split() == ["CLOSED", "-"]
    assert "passive close, RFC 9293 section 3.6.1" in lines[8]


def test_a_later_connection_with_the_same_addresses_is_mentioned() -> None:
    history = reset_in_close_wait()
    row = SocketRow(CLIENT, S.ESTABLISHED, "sock_diag", inode=8)
    history.saw_row(row, Snapshot("sock_diag", 3, 3, {CLIENT: row}))
    assert "another connection used the same addresses" in draw_descent("client", history)
