"""One end of the demo's connection: a process of its own that does what standard input says, line by line.

Each line is a method's name and its arguments; each answer is a line, `ok ...` or `failed ...`. It ends with
its input. It runs as a file, isolated from whatever surrounds it, and must import nothing but the standard
library: it stands for any program that uses TCP.
"""

import socket
import sys

# More than the demo ever sends: sending must not wait for a proxy that does not read.
_SEND_BUFFER = 256 * 1024
_CHUNK = 64 * 1024


class End:
    """A client (`connect`) or a server (`listen`, `accept`), and what both can do then."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.listener: socket.socket | None = None

    def listen(self) -> str:
        """Listen on a free port of the loopback interface; the answer is the port."""
        self.listener = socket.create_server(("127.0.0.1", 0))
        return str(self.listener.getsockname()[1])

    def accept(self) -> str:
        """Take the first connection."""
        assert self.listener is not None, "listen comes first"
        self.socket, _peer = self.listener.accept()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        return ""

    def connect(self, host: str, port: str) -> str:
        """Open the connection."""
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        return ""

    def send(self, count: str) -> str:
        """Send `count` bytes."""
        self.socket.sendall(bytes(int(count)))
        return ""

    def receive(self, count: str) -> str:
        """Wait for `count` bytes; the answer is how many there were before the end."""
        return str(len(self.socket.recv(int(count), socket.MSG_WAITALL)))

    def finish(self) -> str:
        """Send a FIN, and keep the socket to read what still comes."""
        self.socket.shutdown(socket.SHUT_WR)
        return ""

    def close(self) -> str:
        """Read to the end, so that closing does not reset, and close; the answer is the count of bytes."""
        read = 0
        while chunk := self.socket.recv(_CHUNK):
            read += len(chunk)
        self.socket.close()
        return str(read)


def main() -> None:
    """Do what each line says."""
    end = End()
    for line in sys.stdin:
        name, *arguments = line.split()
        try:
            answer = f"ok {getattr(end, name)(*arguments)}"
        except OSError as error:
            answer = f"failed {name}: {error.strerror or error}"
        print(answer, flush=True)


if __name__ == "__main__":
    main()
