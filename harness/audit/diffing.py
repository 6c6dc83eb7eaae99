"""Compares two reports: which verdicts changed, which cells appeared and which vanished.

This module must not know how the reports were made: it reads their JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from harness.audit.export import FORMAT
from harness.audit.telling import STYLES
from harness.errors import UsageError
from harness.scenarios.verdicts import Verdict

_RANKS = {Verdict.FAIL: 2, Verdict.NON_STRICT: 1}
"""How bad a verdict is; all others are not bad, so that none of them is worse than another."""


@dataclass(frozen=True, slots=True)
class Change:
    """A cell whose verdict is another one now."""

    cell: str
    before: Verdict
    after: Verdict
    reason: str

    @property
    def is_worse(self) -> bool:
        """Whether it fails, or misses a SHOULD, and was better before."""
        return _RANKS.get(self.after, 0) > _RANKS.get(self.before, 0)


@dataclass(frozen=True)
class Difference:
    """What differs between two reports."""

    changed: list[Change] = field(default_factory=list)
    appeared: dict[str, Verdict] = field(default_factory=dict)
    vanished: dict[str, Verdict] = field(default_factory=dict)
    versions: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Subjects of another version: before and after."""

    @property
    def got_worse(self) -> bool:
        """Whether any verdict did, or a failing cell has appeared."""
        return any(change.is_worse for change in self.changed) or Verdict.FAIL in self.appeared.values()


def load_report(path: Path) -> Mapping[str, Any]:
    """Read a report that --json or --report has written.

    Raises:
        UsageError: it cannot be read, or is something else.

    """
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from error
    found = loaded.get("format") if isinstance(loaded, dict) else type(loaded).__name__
    if found != FORMAT:
        raise UsageError(f"{path}: expected a report of the format {FORMAT}, found {found!r}; audit anew")
    report: Mapping[str, Any] = loaded
    return report


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    """Compare two reports cell by cell."""
    before, after = _verdicts(old), _verdicts(new)
    return Difference(
        changed=[
            Change(cell, before[cell], verdict, _reason(new["cells"][cell]))
            for cell, verdict in after.items()
            if cell in before and before[cell] is not verdict
        ],
        appeared={cell: verdict for cell, verdict in after.items() if cell not in before},
        vanished={cell: verdict for cell, verdict in before.items() if cell not in after},
        versions={
            name: (old["subjects"][name]["version"], subject["version"])
            for name, subject in new["subjects"].items()
            if name in old["subjects"] and old["subjects"][name]["version"] != subject["version"]
        },
    )


def tell_difference(difference: Difference, console: Console) -> int:
    """Print it, the worse first; returns an exit code, 1 if anything got worse."""
    for name, (old, new) in difference.versions.items():
        console.print(Text(f"{name}: {old or '(no version)'} → {new or '(no version)'}", "dim"))
    for change in sorted(difference.changed, key=lambda change: not change.is_worse):
        text = Text(f"{'worse' if change.is_worse else 'changed':<9} {change.cell}  ")
        text.append(str(change.before), STYLES[change.before]).append(" → ")
        console.print(text.append(str(change.after), STYLES[change.after]), soft_wrap=True)
        if change.is_worse and change.reason:
            console.print(Text(f"          {change.reason}"), soft_wrap=True)
    for word, cells in (("appeared", difference.appeared), ("vanished", difference.vanished)):
        for cell, verdict in cells.items():
            console.print(Text(f"{word:<9} {cell}  ").append(str(verdict), STYLES[verdict]), soft_wrap=True)
    worse = sum(change.is_worse for change in difference.changed)
    console.print(
        f"{len(difference.changed)} changed, {worse} of them worse; "
        f"{len(difference.appeared)} appeared, {len(difference.vanished)} vanished",
        style="bold",
    )
    return 1 if difference.got_worse else 0


def _verdicts(report: Mapping[str, Any]) -> dict[str, Verdict]:
    return {name: Verdict(cell["verdict"]) for name, cell in report["cells"].items()}


def _reason(cell: Mapping[str, Any]) -> str:
    """Why the run that decides was judged as it was."""
    decisive = next(run for run in cell["runs"] if run["verdict"] == cell["verdict"])
    reasons = [
        decisive[part]["reason"]
        for part in ("behaviour", "close")
        if decisive[part]["verdict"] == cell["verdict"]
    ]
    return str(reasons[0]).partition("\n")[0] if reasons else ""
