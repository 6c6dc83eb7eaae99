"""An audit by somebody who is not root: what cannot be made for him is not observed, never a pass."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from harness.audit.bench import PROGRAMS
from tests.harness.connections import needs_linux

pytestmark = [
    needs_linux,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else"),
]
ROOT = Path(__file__).parents[3]
HELD = {"stuck-fin-wait1", "stuck-last-ack", "simultaneous-close", "lost-fin", "lost-last-ack"}
PLAIN = {"clean-client-close", "clean-server-close"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of his own; pytest's are closed to him."""
    made = Path(tempfile.mkdtemp(prefix="finproxy-nobody-"))
    shutil.chown(made, "nobody")
    yield made
    shutil.rmtree(made)


def as_nobody(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    return subprocess.run(
        command,
        user="nobody",
        group="nogroup",
        extra_groups=[],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "PYTHONPATH": path, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def his_python(folder: Path) -> str:
    """A Python that nobody can start, and that finds the project and what it needs."""
    for python in (sys.executable, "/usr/bin/python3"):
        with suppress(OSError):  # root's own Python may lie where he cannot read
            if not as_nobody([python, "-c", "import finproxy, harness.audit.command"], folder).returncode:
                return python
    pytest.skip("there is no Python that nobody can start with this project")


def test_what_only_root_can_hold_is_not_observed(folder: Path) -> None:
    python = his_python(folder)
    serve = [python, "-m", "uvicorn", "--app-dir", str(PROGRAMS), "slow_asgi:application", "--port", "{port}"]
    options = ["--only", ",".join(sorted(HELD | PLAIN)), "--jobs", "2", "--json", str(folder / "a.json")]
    done = as_nobody([python, "-m", "finproxy", "audit", "server", *options, "--", *serve], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((folder / "a.json").read_text())
    assert report["machine"]["user"] == "not root"
    verdicts = {name.removeprefix("server/"): cell["verdict"] for name, cell in report["cells"].items()}
    assert verdicts == dict.fromkeys(HELD, "not observed") | dict.fromkeys(PLAIN, "pass")
