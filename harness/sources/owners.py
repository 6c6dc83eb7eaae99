"""Who holds a socket: from inode numbers to processes, by reading /proc/PID/fd (Linux).

sock_diag and procfs show only inodes. An inode is resolved while its socket still has an owner and
remembered by the watcher, since orphans and TIME-WAIT rows show none. This module must not know about TCP
states.
"""

import contextlib
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from harness.rows import Owner
from harness.sources.psutil import owner_of

_PREFIX = "socket:["


def find_owners(inodes: AbstractSet[int]) -> dict[int, Owner]:
    """Return the owners of those socket `inodes` that this user may see. One pass over /proc at most.

    When several processes share a socket (forked workers), the first one found is named.
    """
    wanted = {inode for inode in inodes if inode}
    found: dict[int, Owner] = {}
    for pid, inode in _held_sockets() if wanted else ():
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
