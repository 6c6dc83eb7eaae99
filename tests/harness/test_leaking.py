import os
import socket
import subprocess
import sys

import pytest

import harness
from harness.errors import SourceUnavailableError, UsageError
from harness.leaking import why_leaked
from harness.rows import SocketRow
from harness.states import TcpState as S
from tests.harness.connections import TABLES, connected, needs_linux, needs_root
from tests.harness.drawing.tracks import CLIENT


@pytest.mark.parametrize(
    ("state", "inode", "unread", "is_leak"),
    [
        (S.CLOSE_WAIT, 7, 0, True),
        (S.LAST_ACK, 0, 0, True),
        (S.FIN_WAIT_2, 7, 0, True),
        (S.FIN_WAIT_2, 0, 0, False),  # an orphan: tcp_fin_timeout ends it
        (S.TIME_WAIT, 0, 0, False),
        (S.ESTABLISHED, 7, 0, False),
        (S.ESTABLISHED, 7, 3, True),
        (S.LISTEN, 7, 3, False),  # the accept queue
    ],
)
def test_what_counts_as_a_leak(state: S, inode: int, unread: int, is_leak: bool) -> None:
    row = SocketRow(CLIENT, state, "test", inode=inode, receive_queue=unread)
    assert bool(why_leaked(row)) is is_leak


@needs_linux
@pytest.mark.parametrize("source", [None, *TABLES])
def test_a_forgotten_close_is_found_with_its_owner(source: str | None) -> None:
    with connected() as pair, harness.watch(pair.endpoint, pair.peer, source="sock_diag") as seen:
        pair.client.shutdown(socket.SHUT_WR)
        seen.server.wait_for("CLOSE-WAIT", within=5)
        seen.client.wait_for("FIN-WAIT-2", within=5)
        by_port = harness.leaks(port=pair.endpoint.local.port, source=source)
        by_pid = harness.leaks(pid=os.getpid(), source=source)
    leaked = {leak.row.endpoint: leak for leak in by_port}
    assert set(leaked) == {pair.endpoint, pair.peer}
    assert "close() was forgotten" in str(leaked[pair.peer])
    owner = leaked[pair.peer].owner
    assert owner is not None
    assert owner.pid == os.getpid()
    assert set(leaked) <= {leak.row.endpoint for leak in by_pid}


@needs_linux
def test_a_connection_in_use_and_time_wait_are_no_leaks() -> None:
    with connected() as pair, harness.watch(pair.endpoint, source="sock_diag") as seen:
        assert harness.leaks(port=pair.endpoint.local.port) == []
        pair.client.shutdown(socket.SHUT_WR)
        pair.server.close()
        seen.client.wait_for("TIME-WAIT", within=5)
        assert harness.leaks(port=pair.endpoint.local.port) == []


@needs_linux
def test_fresh_leaks_can_be_left_out() -> None:
    with connected() as pair, harness.watch(pair.endpoint, source="sock_diag") as seen:
        pair.server.shutdown(socket.SHUT_WR)
        seen.client.wait_for("CLOSE-WAIT", within=5)
        assert harness.leaks(port=pair.endpoint.local.port, older_than=3600) == []


def test_neither_pid_nor_port_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a pid or a port"):
        harness.leaks()


@needs_linux
def test_a_process_that_ended_is_not_called_free_of_leaks() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with pytest.raises(SourceUnavailableError, match=f"expected a running process {process.pid}, found none"):
        harness.leaks(pid=process.pid)


# Asks once as root: a user who may not read the interpreter's files could import nothing later.
ASK_ABOUT_THE_PARENT = """
import os, harness
harness.leaks(pid=os.getppid())
os.setgid(65534); os.setgroups([]); os.setuid(65534)
try:
    print(harness.leaks(pid=os.getppid()))
except harness.HarnessError as error:
    print(error)
"""


@needs_root
def test_a_process_of_another_user_is_not_called_free_of_leaks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK_ABOUT_THE_PARENT], stdout=subprocess.PIPE, text=True, check=True
    )
    assert "belongs to another user; run as root" in done.stdout
