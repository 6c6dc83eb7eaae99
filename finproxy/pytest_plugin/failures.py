"""What a test that fails shows of its connections and programs, and where its failure is shown.

This module must not know how a scene is told: that is harness/scene_report.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from .fixtures import SCENE
from .options import NOTES
from .ours import TOP


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what was seen of connections and programs."""
    if call.excinfo is not None:
        _hide_our_frames(call.excinfo)
    report = yield
    if report.failed and (scene := item.stash.get(SCENE, None)) is not None:
        del item.stash[SCENE]  # a test that fails and whose teardown fails as well shows it once
        _show(report, scene, item.config.getoption("--finproxy-report"))
    return report


def _hide_our_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Let a check that fails be shown at the test's own line: its message says everything else."""
    ours = tuple(f"{TOP / name}{os.sep}" for name in ("finproxy", "harness"))
    for entry in excinfo.traceback:
        if str(entry.path).startswith(ours):
            # Where pytest looks whether to leave a frame out, unless it is run with --full-trace.
            entry.frame.f_globals["__tracebackhide__"] = _was_raised_on_purpose


def _was_raised_on_purpose(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Whether it is a check or misuse; a defect is shown where it is."""
    errors = sys.modules.get("harness.errors")
    return errors is not None and isinstance(excinfo.value, errors.HarnessError)


def _show(report: pytest.TestReport, scene: Any, folder: Path | None) -> None:
    from harness.scene_report import sections, write_report

    report.sections += sections(scene)
    if folder is not None:
        try:
            told = "\n".join(map(str, write_report(scene, folder, report.longreprtext)))
        except OSError as error:  # a full disk must not end the whole run
            told = f"expected to write into {folder}, found {error}; choose another --finproxy-report"
        report.sections.append(("finproxy: report", told))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say which programs had to be killed."""
    if notes := config.stash[NOTES]:
        terminalreporter.section("finproxy")
        for note in notes:
            terminalreporter.line(note)
