"""Who holds a socket: from inode numbers to processes, by reading /proc/PID/fd (Linux).

sock_diag and procfs show only inodes. An inode is resolved while its socket still has an owner and
remembered by the watcher, since orphans and TIME-WAIT rows show none. This module must not know about TCP
states.
"""

import contextlib
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from harness.errors import SourceUnavailableError
from harness.rows import Owner
from harness.sources.psutil import owner_of

_PREFIX = "socket:["


def find_owners(inodes: AbstractSet[int]) -> dict[int, Owner]:
    """Return the owners of those socket `inodes` that this user may see. One pass over /proc at most.

    When several processes share a socket (forked workers), the first one found is named.
    """
    wanted = {inode for inode in inodes if inode}
    found: dict[int, Owner] = {}
    # Without /proc (not Linux) rows come from psutil and name their owners themselves.
    for pid, inode in _held_sockets() if wanted and Path("/proc/self/fd").is_dir() else ():
        if inode in wanted and inode not in found:
            owner = owner_of(pid)
            if owner is not None:
                found[inode] = owner
            if len(found) == len(wanted):
                break
    return found


def _held_sockets() -> Iterator[tuple[int, int]]:
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        # Processes end while we read, and other users' descriptors are not shown to us.
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    target = str(descriptor.readlink())
                    if target.startswith(_PREFIX):
                        yield int(process.name), int(target[len(_PREFIX) : -1])


def sockets_of(pid: int) -> set[int]:
    """Return the inodes of the sockets that process `pid` holds.

    Raises SourceUnavailableError: it ended, or belongs to another user.
    """
    try:
        targets = [_target(descriptor) for descriptor in Path(f"/proc/{pid}/fd").iterdir()]
    except FileNotFoundError as error:
        raise SourceUnavailableError(
            f"expected a running process {pid}, found none; it has ended: watch its port instead"
        ) from error
    except PermissionError as error:
        raise SourceUnavailableError(
            f"expected to read which sockets process {pid} holds, found that it belongs to another user; "
            "run as root or as that user, or watch its port instead"
        ) from error
    return {int(target[len(_PREFIX) : -1]) for target in targets if target.startswith(_PREFIX)}


def shares_our_network(pid: int) -> bool:
    """Whether process `pid` is in our network namespace; True also if we may not know."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino == Path("/proc/self/ns/net").stat().st_ino
    except OSError:
        return True


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""  # closed since it was listed
