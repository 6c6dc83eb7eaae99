from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from harness.audit.bench import Bench
from harness.audit.launch import write_kit
from harness.audit.reading import read_recipe
from harness.program import Program
from harness.starting import StartError
from tests.harness.connections import needs_linux

pytestmark = needs_linux
SHOW = (
    "import os, sys;"
    "print(os.getpid(), sorted(os.listdir('.')), open('a.conf').read(), sys.argv[1:], flush=True)"
)


def test_it_becomes_the_program_with_its_files_written_and_ports_filled_in(tmp_path: Path) -> None:
    kit = {
        "command": [sys.executable, "-c", SHOW, "{upstream}"],
        "files": {"a.conf": "listen {port}; { braces }"},
        "setup": [["touch", "{dir}/made"]],
        "user": "",
        "values": {},
    }
    command = write_kit(tmp_path / "kit.json", kit)
    with Program(*command, "port=80", "upstream=90") as program:
        said = program.says(r"\['90'\]\n")
        assert program.exits(within=20).code == 0
        assert said == f"{program.pid} ['a.conf', 'made'] listen 80; {{ braces }} ['90']\n"


def test_a_setup_that_fails_is_a_start_that_fails(tmp_path: Path) -> None:
    table = {"kind": "server", "command": "serve {port}", "setup": ["false"]}
    bench = Bench(read_recipe("mine", table), tmp_path / "own", tmp_path / "shared")
    with bench, pytest.raises(StartError, match="exited with code 1"):
        bench.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_root_a_program_that_must_not_be_root_runs_as_somebody_else(tmp_path: Path) -> None:
    table = {
        "kind": "server",
        "command": ["sh", "-c", "touch mine; echo as $(id -un) on {port}; exec sleep 60"],
        "user": "nobody",
        "ready": "on \\d+",
    }
    # pytest's own folder is closed to others, as tempfile's would be.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o711)
    bench = Bench(read_recipe("mine", table), tmp_path / "own", tmp_path / "shared")
    with bench, bench.start() as program:
        assert program.output == f"as nobody on {program.port}\n"


def test_nothing_is_left_of_a_bench(tmp_path: Path) -> None:
    table = {"kind": "client", "command": "ask {url}"}
    with Bench(read_recipe("mine", table), tmp_path / "own", tmp_path / "shared"):
        assert (tmp_path / "own").is_dir()
    assert not (tmp_path / "own").exists()
