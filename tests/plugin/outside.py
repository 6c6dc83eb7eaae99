"""A repository outside this one: a virtual environment with finproxy's wheel, and the README's examples.

The wheel is built and installed for real. What it depends on is not installed anew, which would need a
network: the environment finds it where this suite found it, behind its own packages.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).parents[2]
README = (SOURCE / "README.md").read_text(encoding="utf-8")
EXAMPLES = "\n\n".join(re.findall(r"^```py\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))
"""What the README shows of tests, as one module; its programs are marked ``python``, not ``py``."""

APPLICATION = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
"""
IS_THE_WHEEL = """
import sys

def test_it_is_the_installed_wheel():
    import finproxy
    assert finproxy.__file__.startswith(sys.prefix)
"""


def environment(shared: Path) -> Path:
    """The virtual environment in the folder `shared`, made by the first process that wants it."""
    made = shared / "environment"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "complete").exists():
            venv.create(made, with_pip=False, symlinks=True)
            _install(build_wheel(shared), made)
            (shared / "complete").touch()
    return made


class Outside:
    """A repository in `folder`: pytest can be run on it, in an environment that has the wheel."""

    def __init__(self, folder: Path, environment: Path) -> None:
        self.repository = folder / "repository"
        self._environment = environment
        self.repository.mkdir()
        (self.repository / "myapp.py").write_text(APPLICATION, encoding="utf-8")
        (self.repository / "test_shutdown.py").write_text(EXAMPLES + IS_THE_WHEEL, encoding="utf-8")

    def pytest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What the command ``pytest`` does there; -P since it does not put the folder on the path either."""
        programs = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
        settings = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        # Plugins that this suite has for other tests, and that complain when they are not configured.
        others = ["-p", "no:asyncio", "-p", "no:schemathesis"]
        command = [_python(self._environment), "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *others]
        return subprocess.run(
            [*command, *arguments],
            cwd=self.repository,
            env={**settings, "PATH": programs},
            capture_output=True,
            text=True,
            check=False,
        )


def build_wheel(folder: Path) -> Path:
    """Build it of a copy, since building leaves things behind in the tree; its path."""
    copy = folder / "source"
    for name in ("finproxy", "harness"):
        shutil.copytree(SOURCE / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SOURCE / name, copy)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    _check([*command, "-w", str(folder), str(copy)])
    [wheel] = folder.glob("*.whl")
    return wheel


def _install(wheel: Path, environment: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(environment)]
    _check([*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)])
    there = _check([_python(environment), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    # Lines of a .pth file are only put on the path: an editable installation of this tree stays unseen.
    here = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    Path(there.strip(), "dependencies.pth").write_text("\n".join(here), encoding="utf-8")


def _python(environment: Path) -> str:
    return str(environment / "bin" / "python")


def _check(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
