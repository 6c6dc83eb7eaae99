"""Kernel settings as text, from /proc/sys (Linux).

Which settings matter is the knowledge of knobs.py and must not come here.
"""

from pathlib import Path


def read(name: str) -> str | None:
    """Return the value of a setting like "net.ipv4.tcp_fin_timeout"; None if there is no such setting."""
    try:
        text = Path("/proc/sys", *name.split(".")).read_text()
    except OSError:
        return None
    return " ".join(text.split())
