"""The scripted server: what its connections do, what it keeps, and what becomes of a script that fails."""

from __future__ import annotations

import socket

import pytest

from harness.errors import HarnessError
from harness.scripted import Peer, ScriptedServer


def test_requests_are_read_with_their_bodies_and_kept() -> None:
    def script(peer: Peer) -> None:
        while line := peer.read_request():
            peer.send(line.encode())

    with ScriptedServer(script) as server, socket.create_connection(server.address, 10) as client:
        client.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyzGET /b HTTP/1.1\r\n\r\n")
        got = b""
        while len(got) < 31:
            got += client.recv(100)
        assert got == b"POST /a HTTP/1.1GET /b HTTP/1.1"
        assert server.requests == [(1, "POST /a HTTP/1.1"), (1, "GET /b HTTP/1.1")]
        assert server.connections == 1


def test_a_script_can_reset_and_half_close() -> None:
    def script(peer: Peer) -> None:
        if peer.number == 1:
            peer.reset()
        else:
            peer.fin()
            peer.wait_until_closed()

    with ScriptedServer(script) as server:
        with socket.create_connection(server.address, 10) as client, pytest.raises(ConnectionError):
            client.recv(1)
        with socket.create_connection(server.address, 10) as client:
            assert client.recv(1) == b""


def test_a_script_that_fails_fails_the_test() -> None:
    def script(_peer: Peer) -> None:
        raise ValueError("a mistake")

    server = ScriptedServer(script)
    with socket.create_connection(server.address, 10) as client:
        assert client.recv(1) == b""
    with pytest.raises(HarnessError, match="a mistake"):
        server.close()


def test_closing_it_ends_scripts_that_wait() -> None:
    def script(peer: Peer) -> None:
        peer.send(b"1")
        peer.wait_until_closed()

    with ScriptedServer(script) as server:
        client = socket.create_connection(server.address, 10)
        assert client.recv(1) == b"1"
    with client:
        assert client.recv(1) == b""
