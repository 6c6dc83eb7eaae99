import psutil
import pytest

from harness.errors import HarnessError, UsageError
from harness.states import BSD, KERNEL, PSUTIL, SS, TRACEPOINT, TcpState, parse_state


def test_a_state_is_its_rfc_spelling() -> None:
    assert TcpState("FIN-WAIT-1") is TcpState.FIN_WAIT_1
    assert f"{TcpState.CLOSE_WAIT}" == "CLOSE-WAIT"


@pytest.mark.parametrize("table", [KERNEL, TRACEPOINT, PSUTIL, SS, BSD])
def test_every_table_covers_all_eleven_states(table: dict[object, TcpState]) -> None:
    assert set(table.values()) == set(TcpState)


def test_psutil_has_no_tcp_status_that_the_table_lacks() -> None:
    known = {value for name, value in vars(psutil).items() if name.startswith("CONN_")}
    assert known - {"NONE", "BOUND", "IDLE"} <= set(PSUTIL)


@pytest.mark.parametrize(
    ("spelling", "state"),
    [
        ("FIN-WAIT-2", TcpState.FIN_WAIT_2),
        ("fin_wait2", TcpState.FIN_WAIT_2),
        ("TCP_FIN_WAIT2", TcpState.FIN_WAIT_2),
        ("ESTAB", TcpState.ESTABLISHED),
        ("SYN_RCVD", TcpState.SYN_RECEIVED),
        (" closed ", TcpState.CLOSED),
        ("UNCONN", TcpState.CLOSED),
    ],
)
def test_a_state_can_be_written_as_any_system_does(spelling: str, state: TcpState) -> None:
    assert parse_state(spelling) is state


def test_an_unknown_state_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UsageError, match=r"expected a TCP state \(LISTEN.*found 'HALF-OPEN'") as caught:
        parse_state("HALF-OPEN")
    assert isinstance(caught.value, HarnessError)
