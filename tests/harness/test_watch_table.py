import io
import os
import socket
import threading

import pytest
from rich.console import Console

from harness.states import TcpState
from harness.watch_table import run_watch
from tests.harness.connections import connected, needs_linux

pytestmark = needs_linux


def console(*, terminal: bool = False, width: int = 200) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=width, color_system=None), out


class Ending(io.StringIO):
    """Output that closes a connection once a line about it has been printed."""

    def __init__(self, *sockets: socket.socket) -> None:
        super().__init__()
        self.sockets = list(sockets)

    def write(self, text: str) -> int:
        if "ESTABLISHED" in text and self.sockets:
            for item in self.sockets:
                item.close()
            self.sockets.clear()
        return super().write(text)


@pytest.mark.parametrize("terminal", [False, True], ids=["lines", "table"])
def test_a_port_is_watched_until_all_its_connections_are_closed(terminal: bool) -> None:
    with connected() as pair:
        out = Ending(pair.client, pair.server)
        shown = Console(file=out, force_terminal=terminal, width=120, color_system=None)
        code = run_watch(port=pair.endpoint.remote.port, until_closed=True, console=shown, timeout=30)
    assert code == 0
    assert str(pair.endpoint.local) in out.getvalue()
    assert TcpState.CLOSED in out.getvalue() or TcpState.TIME_WAIT in out.getvalue()


def test_a_process_is_watched_by_its_ports() -> None:
    out, text = console()
    with connected() as pair:
        assert run_watch(pid=os.getpid(), console=out, timeout=0) == 0
    assert f"{pair.endpoint}  ESTABLISHED" in text.getvalue()


def test_a_port_that_nobody_uses_is_said_to_be_so() -> None:
    out, text = console()
    # Port 1: below those that clients are given, so no old TIME-WAIT row has it either.
    assert run_watch(port=1, until_closed=True, console=out, timeout=0) == 3
    assert "no connection of port 1 in this network namespace yet" in text.getvalue()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"pid": 999_999_999}, "expected a running process 999999999, found none"),
        ({}, "expected a port or a pid to watch, found neither or both"),
        ({"port": 1, "pid": 1}, "expected a port or a pid to watch, found neither or both"),
        ({"port": 1, "source": "netstat"}, "expected a source"),
    ],
)
def test_what_cannot_be_watched_is_refused_in_a_sentence(arguments: dict[str, object], sentence: str) -> None:
    out, text = console()
    assert run_watch(console=out, timeout=0, **arguments) == 1  # type: ignore[arg-type]
    assert sentence in text.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_keeps_every_state_readable_at_this_width(width: int) -> None:
    out, text = console(terminal=True, width=width)
    with connected() as pair:
        run_watch(port=pair.endpoint.remote.port, console=out, timeout=0)
    assert "ESTABLISHED" in text.getvalue()
    assert str(pair.endpoint.local) in text.getvalue()


def test_no_watcher_is_left_running() -> None:
    out, _ = console()
    run_watch(port=1, console=out, timeout=0)
    assert all(thread.name != "harness watcher" for thread in threading.enumerate())
