"""The source tracepoint: the kernel announces every TCP transition and every RST (Linux, root, no BPF).

Reads sock:inet_sock_set_state and tcp:{tcp_send_reset,tcp_receive_reset,tcp_retransmit_skb} from a
tracing instance of its own (tracefs.py). It must not know which endpoints are watched beyond their ports,
nor what a transition means.
"""

import os
import time

from harness.errors import SourceUnavailableError
from harness.sources import trace_lines
from harness.sources.tracefs import TraceInstance
from harness.transitions import KernelEvent

_STATES = "events/sock/inet_sock_set_state"
# Kernels older than 5.x lack some of these; transitions are complete without them.
_SEGMENTS = ("tcp_send_reset", "tcp_receive_reset", "tcp_retransmit_skb")
_BUFFER_KB_PER_CPU = "2048"
_MOUNTED = (
    "tracepoint: tracefs was not mounted, so it has been mounted at /sys/kernel/tracing and stays mounted"
)
_READ_BYTES = 1 << 16
_LONGEST_FILTER = 4000  # the kernel takes less than a page
# From taking an event's time stamp to committing it to the ring takes the kernel well under this.
_COMMIT_SECONDS = 0.0002


class Tracepoint:
    """Streams kernel events of all TCP sockets of the machine, until it is narrowed to some ports.

    `remarks` are sentences for people about what opening this source has changed.
    """

    name = "tracepoint"
    sees = "every transition however short, exactly once, and who sent an RST and why"
    blind_to = "TIME-WAIT and an orphan's FIN-WAIT-2 (a table must tell); which network namespace; owners"

    def __init__(self) -> None:
        self._instance = TraceInstance()
        self.remarks: tuple[str, ...] = (_MOUNTED,) if self._instance.did_mount else ()
        self._rest = ""
        self._waiting: list[KernelEvent] = []
        self._lost = 0
        self._sees_resets = False
        try:
            self._configure()
            self._pipe = self._instance.open_pipe()
        except (OSError, SourceUnavailableError):
            self.close()
            raise

    @property
    def lost(self) -> int:
        """How many events the kernel dropped because its buffer was full."""
        return self._lost

    @property
    def sees_resets(self) -> bool:
        """Whether this kernel has the reset tracepoints."""
        return self._sees_resets

    def fileno(self) -> int:
        """Return the descriptor of trace_pipe."""
        return self._pipe

    def read(self) -> list[KernelEvent]:
        """Return all events committed before this call, oldest first.

        Each CPU has its own ring. Reading several of them is no atomic act: an event read now may be older
        than one read before. Those too young to be certain of their place wait for the next call.
        """
        certain = time.monotonic() - _COMMIT_SECONDS
        self._waiting += trace_lines.parse(self._new_lines())
        self._waiting.sort(key=lambda event: event.at)
        ready = [event for event in self._waiting if event.at <= certain]
        del self._waiting[: len(ready)]
        return ready

    @property
    def has_waiting(self) -> bool:
        """Whether events were read that the next call will return, although the descriptor is silent."""
        return bool(self._waiting)

    def narrow(self, ports: frozenset[int]) -> None:
        """Let the kernel leave out transitions of connections that have none of `ports` on either end.

        Only to save work on a busy machine: with more ports than a filter can hold, nothing is left out.
        """
        text = " || ".join(f"sport == {port} || dport == {port}" for port in sorted(ports))
        self._instance.write(f"{_STATES}/filter", text if len(text) < _LONGEST_FILTER else "0")

    def close(self) -> None:
        """Stop tracing and remove the instance."""
        self._instance.close()

    def _configure(self) -> None:
        instance = self._instance
        # The clock of time.monotonic(): otherwise the events could not be ordered with looks at the table.
        instance.write("trace_clock", "mono")
        instance.write("buffer_size_kb", _BUFFER_KB_PER_CPU)
        if (instance.path / "buffer_percent").exists():
            # Wake the reader at the first event and not when half the buffer is full.
            instance.write("buffer_percent", "0")
        instance.write(f"{_STATES}/enable", "1")
        for name in _SEGMENTS:
            if (instance.path / "events/tcp" / name).exists():
                instance.write(f"events/tcp/{name}/enable", "1")
                self._sees_resets = self._sees_resets or "reset" in name

    def _new_lines(self) -> str:
        pieces = [self._rest]
        while chunk := _read(self._pipe):
            pieces.append(chunk)
        text, newline, self._rest = "".join(pieces).rpartition("\n")
        self._lost += trace_lines.count_lost(text)
        return text + newline


def _read(pipe: int) -> str:
    try:
        return os.read(pipe, _READ_BYTES).decode("utf-8", "replace")
    except BlockingIOError:
        return ""
