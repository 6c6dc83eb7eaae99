"""The firewall rules that send FIN segments of marked sockets to a queue, and nobody else's.

Role: add, list and remove rules with iptables and ip6tables. It must not know packets or holds. A rule
matches a FIN without RST whose receiving socket (--nowildcard: even one still in its handshake) carries our
mark (SO_MARK): the proxy's own sockets and no other connection, whatever the addresses; and legs come and go
without touching the firewall.

Leftovers cannot hurt and do not stay: without a listener on its queue a rule lets everything pass
(--queue-bypass), and `sweep` removes it. The kernel unbinds a queue when its owner dies, however it dies, so
a rule whose queue nobody listens to has a dead owner; pid and start time in its comment tell people whose it
was.

Source: iptables-extensions(8), "socket", "mark", "comment", "NFQUEUE".
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from finproxy.wire.technique import WireError

TAG = "finproxy"
COMMANDS = {4: "iptables", 6: "ip6tables"}

# Of this thread: it may live in another network namespace than the process, whose /proc/net is.
_QUEUES = Path("/proc/thread-self/net/netfilter/nfnetlink_queue")
_OURS = re.compile(rf"^-A (INPUT .*\b{TAG}:pid=\d+:start=\d+\b.*--queue-num (\d+)\b.*)$", re.MULTILINE)
_PATIENCE = "5"  # seconds to wait while another program holds the firewall's lock


def add(version: int, queue: int, mark: int) -> None:
    """Send FIN segments for sockets with this mark to this queue, for IP version 4 or 6.

    The mangle table comes before the filter table, so a segment that is let in still has to pass the host's
    own rules.

    Raises:
        WireError: iptables is missing or refuses.

    """
    match = f"-p tcp --tcp-flags FIN,RST FIN -m socket --nowildcard --restore-skmark -m mark --mark {mark:#x}"
    target = f"-m comment --comment {_owner()} -j NFQUEUE --queue-num {queue} --queue-bypass"
    _run(version, "-I", "INPUT", *match.split(), *target.split())


def remove(queue: int) -> None:
    """Remove our rules for this queue, of both IP versions."""
    for version, number, rule in list(_rules()):
        if number == queue:
            _run(version, "-D", *rule)


def sweep() -> int:
    """Remove the rules that dead proxies left behind in this network namespace; return how many."""
    leftovers = [rule for rule in _rules() if rule[1] not in listening()]
    for leftover in leftovers:
        version, _, words = leftover
        try:
            _run(version, "-D", *words)
        except WireError:
            # Two proxies that start together sweep together: the second finds the work done.
            if leftover in _rules():
                raise
    return len(leftovers)


def listening() -> set[int]:
    """Return the queues that some process of this network namespace listens to.

    Raises:
        WireError: we may not know: the file is root's, whatever capabilities another user has.

    """
    if not _QUEUES.exists():
        return set()
    try:
        text = _QUEUES.read_text()
    except PermissionError as error:
        raise WireError(
            f"nfqueue: expected to read {_QUEUES}, found that user {os.geteuid()} may not: only root may",
            "run as root, or leave it to socket-filter, for which CAP_NET_ADMIN is enough",
        ) from error
    return {int(line.split()[0]) for line in text.splitlines()}


def _rules() -> Iterator[tuple[int, int, list[str]]]:
    """Yield IP version, queue and words of each rule that carries our tag."""
    for version in COMMANDS:
        for match in _OURS.finditer(_listing(version)):
            yield version, int(match[2]), shlex.split(match[1])


def _listing(version: int) -> str:
    try:
        return _run(version, "-S", "INPUT")
    except WireError:
        if version == 4:
            raise
        return ""  # no ip6tables, or a kernel without IPv6 tables: then there can be no rules of ours


def _owner() -> str:
    # Field 22 of proc_pid_stat(5), counted behind the command's name, which may contain spaces.
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    return f"{TAG}:pid={os.getpid()}:start={started}"


def _run(version: int, *words: str) -> str:
    command = COMMANDS[version]
    program = shutil.which(command)
    if program is None:
        raise WireError(
            f"nfqueue: expected the program {command}, found none", "install the package iptables"
        )
    done = subprocess.run(  # one short-lived program, at start and at exit only
        [program, "-w", _PATIENCE, "-t", "mangle", *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise WireError(
            f"nfqueue: expected {command} to accept `{' '.join(words)}`, found: {done.stderr.strip()}",
            "give the process CAP_NET_ADMIN (root, or `docker run --cap-add NET_ADMIN`), and the kernel "
            "the modules xt_socket, xt_mark, xt_comment and xt_NFQUEUE",
        )
    return done.stdout
