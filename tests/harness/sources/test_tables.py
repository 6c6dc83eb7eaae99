"""One conformance check for all table sources, on real sockets; and what only one of them promises."""

import socket
from collections.abc import Iterator

import pytest

from harness.errors import SourceUnavailableError
from harness.sources.base import TableSource
from harness.sources.choice import choose
from harness.sources.procfs import Procfs, parse
from harness.sources.sock_diag import SockDiag
from harness.sources.tcp_info import TcpInfo
from harness.states import TcpState
from tests.harness.connections import TABLES, connected, needs_linux

pytestmark = needs_linux


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest) -> Iterator[TableSource]:
    chosen = choose(request.param).table
    assert chosen is not None
    yield chosen
    chosen.close()


@pytest.mark.parametrize(
    ("host", "listens_dual"),
    [("127.0.0.1", False), ("::1", False), ("127.0.0.1", True)],
    ids=["v4", "v6", "mapped"],
)
def test_both_ends_of_a_connection_are_found_by_their_addresses(
    table: TableSource, host: str, listens_dual: bool
) -> None:
    with connected(host, listens_dual=listens_dual) as pair:
        look = table.look([pair.endpoint, pair.peer])
    rows = [look.rows[pair.endpoint], look.rows[pair.peer]]
    assert [row and row.state for row in rows] == [TcpState.ESTABLISHED, TcpState.ESTABLISHED]
    assert look.source == table.name
    assert look.began <= look.ended


def test_time_wait_is_seen_and_a_closed_endpoint_has_no_row(table: TableSource) -> None:
    with connected() as pair:
        pair.client.shutdown(socket.SHUT_WR)
        assert pair.server.recv(1) == b""
        pair.server.close()
        assert pair.client.recv(1) == b""
        look = table.look([pair.endpoint, pair.peer])
    near = look.rows[pair.endpoint]
    assert near is not None
    assert near.state is TcpState.TIME_WAIT


def test_a_port_without_a_connection_has_no_row_even_if_somebody_listens_there(table: TableSource) -> None:
    with connected() as pair, socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = type(pair.endpoint).of((listener.getsockname(), pair.client.getsockname()))
        assert table.look([nobody]).rows == {nobody: None}


def test_rows_can_be_narrowed_to_a_port_on_either_end(table: TableSource) -> None:
    with connected() as pair:
        port = pair.endpoint.remote.port
        endpoints = {row.endpoint for row in table.rows(frozenset({port}))}
        everything = {row.endpoint for row in table.rows()}
    assert {pair.endpoint, pair.peer} <= endpoints <= everything
    assert all(port in {endpoint.local.port, endpoint.remote.port} for endpoint in endpoints)


def test_what_is_in_time_wait_can_be_left_out(table: TableSource) -> None:
    with connected() as pair, connected() as other:
        pair.client.close()
        pair.server.recv(1)
        pair.server.close()
        ports = frozenset({pair.endpoint.local.port, other.endpoint.local.port})
        ends = {pair.endpoint, other.endpoint}
        # Its last ACK is on its way for a moment, and a list of rows is not taken at one instant.
        while not ends <= {row.endpoint for row in table.rows(ports)}:
            pass
        kept = {row.endpoint for row in table.rows(ports, time_wait=False)}
    assert ends & kept == {other.endpoint}


@pytest.mark.parametrize("name", ["sock_diag", "procfs"])
def test_queues_are_seen_where_the_source_has_them(name: str) -> None:
    table = choose(name).table
    assert table is not None
    with connected() as pair:
        pair.client.sendall(b"12345")
        row = table.look([pair.peer]).rows[pair.peer]
    table.close()
    assert row is not None
    assert row.receive_queue == 5


def test_sock_diag_tells_the_cookie_and_how_long_the_peer_has_been_silent() -> None:
    source = SockDiag()
    with connected() as pair:
        rows = source.rows(frozenset({pair.endpoint.local.port}))
    source.close()
    (near,) = [row for row in rows if row.endpoint == pair.endpoint]
    assert near.cookie
    assert near.silent_for is not None


def test_tcp_info_shows_own_sockets_and_nothing_else() -> None:
    with connected() as pair:
        source = TcpInfo(pair.client)
        pair.client.shutdown(socket.SHUT_WR)
        look = source.look([pair.endpoint, pair.peer])
        assert [row.endpoint for row in source.rows()] == [pair.endpoint]
    row = look.rows[pair.endpoint]
    assert row is not None
    assert row.state in {TcpState.FIN_WAIT_1, TcpState.FIN_WAIT_2}
    assert look.rows[pair.peer] is None
    assert source.look([pair.endpoint]).rows == {pair.endpoint: None}


def test_tcp_info_refuses_a_socket_that_is_not_connected() -> None:
    with socket.socket() as loose, pytest.raises(SourceUnavailableError, match="expected a connected socket"):
        TcpInfo(loose)


def test_procfs_says_that_a_process_has_ended() -> None:
    with pytest.raises(SourceUnavailableError, match="expected a running process 999999999, found no"):
        Procfs(999_999_999)


def test_a_line_of_procfs_is_decoded_and_a_cut_one_skipped() -> None:
    header = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    )
    line = (
        "   1: 0100007F:1F90 0100007F:C350 04 00000001:00000005 01:00000014 00000002  1000        0 4242 2 "
        "0000000000000000 20 4 30 10 -1\n"
    )
    (row,) = parse(header + line + "   2: 0100007F:1F90 0100")
    assert str(row.endpoint) == "127.0.0.1:8080 > 127.0.0.1:50000"
    assert row.state is TcpState.FIN_WAIT_1
    assert (row.inode, row.uid) == (4242, 1000)
    assert (row.receive_queue, row.send_queue) == (5, 1)
    assert str(row.timer) == "retransmit 0.2s, 2 tried"


def test_procfs_of_an_ipv6_socket_is_decoded() -> None:
    header = "header\n"
    line = (
        "   0: 00000000000000000000000001000000:0050 0000000000000000FFFF00000100007F:C350 01 "
        "00000000:00000000 00:00000000 00000000     0        0 99 1 0000000000000000\n"
    )
    (row,) = parse(header + line)
    assert row.endpoint.local.host == "::1"
    assert row.endpoint.remote.host == "127.0.0.1"
