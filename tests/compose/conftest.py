"""compose.yaml on a real engine: a project of its own for each test, of which nothing is left."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
collect_ignore = ["example"]  # what compose.yaml runs, in a container


@dataclass(frozen=True)
class Project:
    """One compose project; `run` is ``docker compose ...`` in it."""

    name: str

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["docker", "compose", "-p", self.name, *arguments]
        done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=300, check=False)
        assert not check or done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done

    def python(self, service: str, code: str) -> str:
        """What a piece of Python prints in a service's container."""
        return self.run("exec", "-T", service, "python", "-c", code).stdout.strip()

    def left(self) -> str:
        """What there still is of it: containers, networks and volumes."""
        label = f"label=com.docker.compose.project={self.name}"
        kinds = (["ps", "-a"], ["network", "ls"], ["volume", "ls"])
        return "".join(_docker(*kind, "-q", "--filter", label) for kind in kinds)


def _has_engine() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "ls"], capture_output=True, check=False).returncode == 0


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], text=True, capture_output=True, check=True).stdout


@pytest.fixture(scope="session")
def images() -> None:
    """The images of compose.yaml; FINPROXY_IMAGES=built says that they are there already."""
    are_built = os.environ.get("FINPROXY_IMAGES") == "built"
    if not _has_engine():
        assert not are_built, "expected a Docker engine, where the images have been built; found none"
        pytest.skip("needs a running Docker engine with compose")
    if not are_built:
        Project("finproxytest").run("build")


@pytest.fixture
def project(images: None) -> Iterator[Project]:
    project = Project("finproxytest")
    try:
        yield project
    finally:
        project.run("down", "--volumes", "--timeout", "2")
    assert project.left() == ""
