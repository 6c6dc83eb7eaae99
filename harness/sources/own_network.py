"""A network namespace of one's own (Linux, root): no other program's sockets, ports, rules or settings.

Source: unshare(2), network_namespaces(7). Python has os.unshare from 3.12 on only, hence ctypes. This module
must not know what it is used for.
"""

import ctypes
import os
import subprocess

_CLONE_NEWNET = 0x40000000


def enter_own_network() -> str:
    """Move this thread, and those it will start, into a new namespace with a loopback interface.

    Call it before other threads are started: they stay where they are. Returns why not, "" if it did.
    """
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
            return f"no network namespace of its own: {os.strerror(ctypes.get_errno())}"
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, capture_output=True)
    except (OSError, AttributeError, subprocess.CalledProcessError) as error:
        return f"no network namespace of its own: {error}"
    return ""
