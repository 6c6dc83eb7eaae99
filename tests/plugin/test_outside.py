"""A repository that installs the wheel runs the README's examples, whatever else it has and sets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.connections import needs_linux
from tests.support.programs import need

from .outside import Outside, environment

pytestmark = [needs_linux, pytest.mark.slow]

ENVIRONMENTS = {
    "xdist": ("-n", "2"),
    "no-trio": ("-p", "no:trio"),
    "trio": ("-o", "trio_mode=true"),
    "importlib": ("--import-mode=importlib",),
}
FIRST = ("-k", "drains or wheel")
"""The test that the README begins with: whether the plugin works in an environment at all."""


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    need("curl")
    pytest.importorskip("pip", reason="builds and installs a wheel")
    here = tmp_path_factory.getbasetemp()
    # One environment for all workers: each has a folder of its own in one that they share.
    shared = here.parent if "PYTEST_XDIST_WORKER" in os.environ else here
    return Outside(tmp_path_factory.mktemp("outside"), environment(shared))


@pytest.fixture
def with_a_harness_folder(outside: Outside) -> Iterator[Path]:
    folder = outside.repository / "harness"
    folder.mkdir()
    (folder / "__init__.py").touch()
    yield folder
    (folder / "__init__.py").unlink()
    folder.rmdir()


def test_all_examples_pass(outside: Outside) -> None:
    passes(outside, "--strict-markers", "--strict-config", "-W", "error")


@pytest.mark.parametrize("arguments", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_the_ten_line_test_passes_in_every_environment(outside: Outside, arguments: tuple[str, ...]) -> None:
    passes(outside, *FIRST, *arguments)


def test_a_folder_called_harness_does_no_harm_under_importlib(
    outside: Outside, with_a_harness_folder: Path
) -> None:
    passes(outside, *FIRST, "--import-mode=importlib")


def test_a_folder_called_harness_that_is_imported_instead_is_named(
    outside: Outside, with_a_harness_folder: Path
) -> None:
    done = outside.pytest()
    assert done.returncode != 0
    assert re.search(
        rf"expected the package 'harness' that comes with finproxy .*found another .*{with_a_harness_folder}",
        done.stdout,
    ), done.stdout


def passes(outside: Outside, *arguments: str) -> None:
    done = outside.pytest(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ passed", done.stdout.splitlines()[-1]), done.stdout
