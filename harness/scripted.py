"""A scripted server: what each of its connections does is a function, run on a thread, and all is kept.

    def script(peer):
        peer.read_request()
        peer.send(half_of_the_answer)
        peer.reset()

    with ScriptedServer(script) as server:
        ...  # a client connects to server.address

This module must not know the proxy, nor which clients there are.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from harness.errors import HarnessError

_PATIENCE = 20.0
_LINGER_ZERO = struct.pack("ii", 1, 0)


class Peer:
    """One connection of the scripted server. `number` counts them from 1."""

    def __init__(self, sock: socket.socket, number: int, server: "ScriptedServer") -> None:
        self.number = number
        self.socket = sock
        self._server = server
        self._unread = b""
        sock.settimeout(_PATIENCE)

    def read_request(self) -> str:
        """The next HTTP request's first line, and its body read away; "" once the client has closed."""
        head = self._read_until(b"\r\n\r\n")
        if not head:
            return ""
        lines = head.decode("latin-1").split("\r\n")
        self._read_exactly(_content_length(lines[1:]))
        self._server.requests.append((self.number, lines[0]))
        return lines[0]

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(data)

    def send_with_fin(self, data: bytes) -> None:
        """Send it with the FIN in one segment, where the system can: nobody sees one without the other."""
        self.socket.sendall(data, getattr(socket, "MSG_MORE", 0))
        self.fin()

    def fin(self) -> None:
        """End its flow, and keep reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Reset the connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.socket.close()

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def wait_until_closed(self) -> None:
        """Read away what comes, until the client has closed or reset."""
        with contextlib.suppress(ConnectionError):
            while self.socket.recv(65536):
                pass

    def _read_until(self, end: bytes) -> bytes:
        while end not in self._unread:
            some = self.socket.recv(65536)
            if not some:
                return b""
            self._unread += some
        head, _, self._unread = self._unread.partition(end)
        return head

    def _read_exactly(self, count: int) -> None:
        while len(self._unread) < count and (some := self.socket.recv(65536)):
            self._unread += some
        self._unread = self._unread[count:]


def _content_length(lines: list[str]) -> int:
    fields = (line.partition(":") for line in lines)
    return next((int(value) for name, _, value in fields if name.lower() == "content-length"), 0)


class ScriptedServer:
    """A server on a free port of the loopback interface, until `close`."""

    def __init__(self, script: Callable[[Peer], object]) -> None:
        self.requests: list[tuple[int, str]] = []
        """Number of the connection and first line of each HTTP request, in order."""
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._peers: list[Peer] = []
        self._failures: list[Exception] = []
        self._threads = [threading.Thread(target=self._accept, name="harness scripted server", daemon=True)]
        self._threads[0].start()

    @property
    def address(self) -> tuple[str, int]:
        """Where clients connect to."""
        host, port = self._listener.getsockname()
        return host, port

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self._peers)

    def close(self) -> None:
        """End all connections and threads.

        Raises:
            HarnessError: a script has failed.

        """
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._threads[0].join()
        self._listener.close()
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)  # wakes who reads
        for thread in self._threads[1:]:
            thread.join()
        for peer in self._peers:
            peer.close()
        if self._failures:
            raise HarnessError(f"the server's script failed: {self._failures[0]!r}") from self._failures[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._peers.append(Peer(sock, len(self._peers) + 1, self))
            self._threads.append(threading.Thread(target=self._serve, args=[self._peers[-1]], daemon=True))
            self._threads[-1].start()

    def _serve(self, peer: Peer) -> None:
        try:
            self._script(peer)
        except OSError:
            return  # what a client does to its connection is no failure of the script
        except Exception as error:
            self._failures.append(error)
            peer.close()
