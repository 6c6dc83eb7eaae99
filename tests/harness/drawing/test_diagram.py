import pytest

from harness.drawing.diagram import Arrow, Diagram, connection_diagram, session_diagram, session_endpoints
from harness.errors import UsageError
from harness.transitions import SegmentEvent
from tests.harness.drawing.tracks import CLIENT, SERVER, held_close, track


def story(diagram: Diagram) -> list[str]:
    """Tell the lines of a diagram in words, in order."""
    names = [column.name for column in diagram.columns]
    told = []
    for line in diagram.lines:
        if line.arrow is not None:
            told.append(f"{line.arrow.label} {names[line.arrow.sender]} > {names[line.arrow.receiver]}")
        elif line.remark:
            told.append(line.remark)
        else:
            told.append(", ".join(f"{names[mark.column]} {mark.state}" for mark in line.states))
    return told


def test_a_session_is_told_in_the_order_of_cause_and_effect() -> None:
    records, client, server = held_close()
    assert story(session_diagram(records, client, server, opened_at=0)) == [
        "session.opened",
        "client ESTABLISHED, server ESTABLISHED",
        "client FIN-WAIT-1",
        "FIN client > client leg",  # recorded at 0.51, but FIN-WAIT-2 at 0.505 proves that it had arrived
        "ACK client leg > client",
        "client FIN-WAIT-2",
        "fin.held client client.fin -> hold 2s",
        "FIN server leg > server",
        "server CLOSE-WAIT",
        "ACK server > server leg",
        "server LAST-ACK",
        "ACK server leg > server",
        "server CLOSED",
        "client TIME-WAIT",
        "ACK client > client leg",
        "session.closed clean",
    ]


def test_the_columns_are_the_four_addresses_of_the_session() -> None:
    records, client, server = held_close()
    columns = session_diagram(records, client, server, opened_at=0).columns
    assert [(column.name, column.address) for column in columns] == [
        ("client", "127.0.0.1:50312"),
        ("client leg", "127.0.0.1:9000"),
        ("server leg", "127.0.0.1:41200"),
        ("server", "127.0.0.1:80"),
    ]


def test_the_four_endpoints_of_a_session_are_known_from_its_first_record() -> None:
    endpoints = session_endpoints(held_close()[0][0])
    assert endpoints["client"] == CLIENT
    assert endpoints["client leg"] == CLIENT.peer
    assert endpoints["server"] == SERVER
    assert endpoints["server leg"] == SERVER.peer


def test_records_that_do_not_begin_a_session_are_refused() -> None:
    records, client, server = held_close()
    with pytest.raises(UsageError, match=r"session\.opened first, found fin\.received"):
        session_diagram(records[1:], client, server)
    with pytest.raises(UsageError, match=r"session\.opened first, found no record"):
        session_diagram([], client, server)


def test_without_a_given_time_the_wall_clock_of_the_first_record_is_used() -> None:
    records, client, server = held_close()
    diagram = session_diagram(records, client, server)
    assert [line.at for line in diagram.lines] == sorted(line.at for line in diagram.lines)


def test_a_watched_leg_draws_its_acks_once() -> None:
    records, client, server = held_close()
    leg = track(SERVER.peer, "ESTABLISHED 0 > FIN-WAIT-1 2.505 > FIN-WAIT-2 2.53 > TIME-WAIT 2.555")
    told = story(session_diagram(records, client, server, server_leg=leg, opened_at=0))
    assert told.count("ACK server > server leg") == 1
    assert told.count("ACK server leg > server") == 1


def test_a_direct_connection_is_drawn_from_its_states_alone() -> None:
    client = track(CLIENT, "ESTABLISHED 0 > FIN-WAIT-1 1 > FIN-WAIT-2 1.2 > TIME-WAIT 2.1")
    server = track(CLIENT.peer, "ESTABLISHED 0 > CLOSE-WAIT 1.1 > LAST-ACK 2 > CLOSED 2.2")
    assert story(connection_diagram(client, server)) == [
        "client ESTABLISHED, server ESTABLISHED",
        "client FIN-WAIT-1",
        "FIN client > server",
        "server CLOSE-WAIT",
        "ACK server > client",
        "client FIN-WAIT-2",
        "server LAST-ACK",
        "FIN server > client",
        "client TIME-WAIT",
        "ACK client > server",
        "server CLOSED",
    ]


def test_a_reset_is_an_arrow_from_its_sender() -> None:
    sent = SegmentEvent("reset sent", CLIENT, 1.0, "test")
    client = track(CLIENT, "ESTABLISHED 0 > CLOSED 1", sent)
    server = track(CLIENT.peer, "ESTABLISHED 0 > CLOSED 1.1")
    arrows = [line.arrow for line in connection_diagram(client, server).lines if line.arrow]
    assert arrows == [Arrow(0, 1, "RST")]


def test_a_fin_that_is_kept_out_is_an_arrow_that_does_not_arrive() -> None:
    records, client, server = held_close()
    held = {"t": 0.52, "session": 1, "event": "fin.held", "leg": "client", "technique": "nfqueue"}

    diagram = session_diagram([records[0], held], client, server, opened_at=0)

    kept = [line.arrow for line in diagram.lines if line.arrow and line.arrow.is_kept_out]
    assert kept == [Arrow(0, 1, "FIN", is_kept_out=True)]


def test_a_fin_arrives_when_the_proxys_kernel_accepts_it() -> None:
    records, client, server = held_close()
    leg = track(CLIENT.peer, "ESTABLISHED 0 > CLOSE-WAIT 0.505")

    diagram = session_diagram(records, client, server, client_leg=leg, opened_at=0)

    assert [line.at for line in diagram.lines if line.arrow == Arrow(0, 1, "FIN")] == [0.505]
