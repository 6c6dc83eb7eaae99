import pytest

from harness.transitions import SegmentEvent
from harness.verdict import CloseKind, DataKind, Flow, judge_close, judge_data
from tests.harness.drawing.tracks import CLIENT, track

ACTIVE = "ESTABLISHED 0 > FIN-WAIT-1 1 > FIN-WAIT-2 1.1 > TIME-WAIT 1.5"
PASSIVE = "ESTABLISHED 0 > CLOSE-WAIT 1.05 > LAST-ACK 1.4 > CLOSED 1.5"
SIMULTANEOUS = "ESTABLISHED 0 > FIN-WAIT-1 1 > CLOSING 1.1 > TIME-WAIT 1.2"


@pytest.mark.parametrize(
    ("client", "server", "kind", "by"),
    [
        (ACTIVE, PASSIVE, CloseKind.CLEAN_FIN, "client"),
        (PASSIVE, ACTIVE, CloseKind.CLEAN_FIN, "server"),
        (SIMULTANEOUS, SIMULTANEOUS, CloseKind.CLEAN_FIN, "both"),
        (ACTIVE, "ESTABLISHED 0 > CLOSE-WAIT 1 > LAST-ACK 9 > CLOSED 9.1", CloseKind.LATE_FIN, "server"),
        ("ESTABLISHED 0 > FIN-WAIT-1 1 > FIN-WAIT-2 2", "ESTABLISHED 0 > CLOSE-WAIT 1", CloseKind.NONE, ""),
        ("ESTABLISHED 0", "ESTABLISHED 0", CloseKind.NONE, ""),
    ],
)
def test_a_close_is_judged_by_both_ends_states(client: str, server: str, kind: CloseKind, by: str) -> None:
    verdict = judge_close(track(CLIENT, client), track(CLIENT.peer, server))
    assert (verdict.kind, verdict.by) == (kind, by)


@pytest.mark.parametrize(
    ("seen_at", "how", "by"),
    [("client", "sent", "client"), ("client", "received", "server"), ("server", "received", "client")],
)
def test_a_reset_is_blamed_on_who_sent_it(seen_at: str, how: str, by: str) -> None:
    event = SegmentEvent(f"reset {how}", CLIENT, 1.0, "test")  # type: ignore[arg-type]
    ends = {name: track(CLIENT, "ESTABLISHED 0 > CLOSED 1") for name in ("client", "server")}
    ends[seen_at] = track(CLIENT, "ESTABLISHED 0 > CLOSED 1", event)
    verdict = judge_close(ends["client"], ends["server"])
    assert (verdict.kind, verdict.by) == (CloseKind.RESET, by)


def test_an_end_that_was_not_seen_is_not_blamed() -> None:
    verdict = judge_close(track(CLIENT, "ESTABLISHED 0"), track(CLIENT, PASSIVE))
    assert verdict.kind is CloseKind.NONE
    assert "no FIN of client was seen" in verdict.detail


def test_all_bytes_arrived() -> None:
    verdict = judge_data([Flow("client to server", 10, 10), Flow("server to client", 90, 90, "ab", "ab")])
    assert (verdict.kind, verdict.detail) == (DataKind.COMPLETE, "all 100 bytes arrived")


def test_lost_bytes_are_counted_and_located() -> None:
    verdict = judge_data([Flow("client to server", 10, 10), Flow("server to client", 90, 60)])
    assert verdict.kind is DataKind.LOST
    assert verdict.detail == "server to client: 30 bytes lost from byte 60 on"


@pytest.mark.parametrize("flow", [Flow("up", 10, 11), Flow("up", 10, 10, "ab", "cd")])
def test_other_bytes_than_were_sent_are_not_called_complete(flow: Flow) -> None:
    assert judge_data([flow]).kind is DataKind.ALTERED


def test_data_and_close_are_judged_apart() -> None:
    data = judge_data([Flow("up", 10, 4)])
    close = judge_close(track(CLIENT, ACTIVE), track(CLIENT.peer, PASSIVE))
    assert (data.kind, close.kind) == (DataKind.LOST, CloseKind.CLEAN_FIN)
