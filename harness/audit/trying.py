"""A first try of a subject: its version, and whether it starts and answers a plain request at all.

Twenty scenarios that each wait for a program that cannot start would say the same thing twenty times, late.
This module must not know scenarios.
"""

import shutil
import subprocess
from collections.abc import Mapping
from contextlib import closing

from harness.audit.asking import plain_request
from harness.audit.bench import Bench
from harness.audit.recipe import Recipe, filled, search_path
from harness.contract.subject import exchange
from harness.errors import HarnessError
from harness.ports import ReservedPort
from harness.program import Program
from harness.scenarios.scenario import CLIENT, SERVER


def try_out(bench: Bench) -> str:
    """Prepare a subject, start it once, and ask it; why it cannot be played with, "" if it can."""
    try:
        bench.prepare()
        if bench.recipe.kind == CLIENT:
            return ""
        with closing(ReservedPort()) as nobody, bench.start(nobody.number) as program:
            if bench.recipe.kind == SERVER:
                _ask(bench, program)
    except HarnessError as error:
        return str(error)
    return ""


def _ask(bench: Bench, program: Program) -> None:
    with program.connect(bench.recipe.patience) as sock:
        exchange(plain_request(bench.recipe), sock, program)


def version_of(recipe: Recipe, values: Mapping[str, str]) -> str:
    """The first line with a digit that its version command prints; why there is none, in brackets."""
    if not recipe.version:
        return ""
    first, *others = (filled(part, values) for part in recipe.version)
    command = [shutil.which(first, path=search_path()) or first, *others]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"(unknown: {error})"
    lines = (done.stdout + done.stderr).strip().splitlines()
    return next(
        (line.strip() for line in lines if any(map(str.isdigit, line))), "(unknown: none was printed)"
    )
