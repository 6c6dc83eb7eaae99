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

    @property
    def command(self) -> list[str]:
        return ["docker", "compose", "-p", self.name]

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [*self.command, *arguments]
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
        return "".join(docker(*kind, "-q", "--filter", label) for kind in kinds)


def _has_engine() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "ls"], capture_output=True, check=False).returncode == 0


def docker(*arguments: str) -> str:
    """What a command of Docker's says on stdout."""
    return subprocess.run(["docker", *arguments], text=True, capture_output=True, check=True).stdout


def until_healthy(container: str) -> None:
    """Wait for the engine's word that a container is healthy; fails if it ends or is not within a minute."""
    events = ["timeout", "60", "docker", "events", "--since", "0", "--filter", f"container={container}"]
    with subprocess.Popen(events, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "health_status: healthy" in line:
                process.terminate()
                return
    raise AssertionError(f"expected {container} to become healthy, found: {said}")


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
