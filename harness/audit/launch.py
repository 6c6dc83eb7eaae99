"""Becomes a program that has to be given files first: writes them with the ports filled in, then execs it.

    python -P -m harness.audit.launch KIT.json port=8080 upstream=9090

The process keeps its id, so that whoever started this one has started the program: signals and the exit code
are the program's own. A subject that is started anew, on another port, gets another folder. This module must
not know recipes: a kit is plain JSON.
"""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.audit.recipe import filled


def main(kit_file: str, *given: str) -> None:
    """Write the files, run the setup, become the program."""
    kit = json.loads(Path(kit_file).read_text(encoding="utf-8"))
    folder = tempfile.mkdtemp(dir=Path(kit_file).parent)
    values = {**kit["values"], "dir": folder, **dict(each.split("=", 1) for each in given)}
    for name, content in kit["files"].items():
        Path(folder, name).write_text(filled(content, values), encoding="utf-8")
    os.chdir(folder)
    _become(kit["user"], folder)
    for command in kit["setup"]:
        subprocess.run([filled(part, values) for part in command], check=True)
    command = [filled(part, values) for part in kit["command"]]
    os.execvp(command[0], command)


def write_kit(path: Path, kit: Mapping[str, Any]) -> list[str]:
    """Write a kit; the beginning of the command that launches it."""
    path.write_text(json.dumps(kit), encoding="utf-8")
    return [sys.executable, "-P", "-m", "harness.audit.launch", str(path)]


def _become(user: str, folder: str) -> None:
    """Run as somebody else from here on; only root can, and only root has to."""
    if not user or os.geteuid() != 0:
        return
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        sys.exit(f"expected a user of this machine to run it as, found {user!r}; give another one")
    for place in (Path(folder), *Path(folder).iterdir()):
        shutil.chown(place, account.pw_uid, account.pw_gid)
    os.initgroups(user, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    os.environ["HOME"] = folder


if __name__ == "__main__":
    main(*sys.argv[1:])
