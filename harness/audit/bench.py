"""The bench that a subject stands on in one cell: its folder, its little application, and how it is started.

    with Bench(recipe, Path("/tmp/...")) as bench:
        outcome = run_scenario(name, bench.subject(), background)

This module must not know scenarios, nor what becomes of an outcome.
"""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.audit.asking import closing_request, plain_request, slow_requests
from harness.audit.launch import write_kit
from harness.audit.recipe import Recipe, filled
from harness.errors import HarnessError
from harness.program import Program
from harness.scenarios import ClientSubject, RelaySubject, ServerSubject
from harness.scenarios.scenario import CLIENT, RELAY
from harness.scenarios.subjects import Subject

PROGRAMS = Path(__file__).parent / "programs"
_PREPARES_WITHIN = 120.0


class Bench:
    """A subject's surroundings, from `with` to its end. `shared` is the folder that `prepare` fills."""

    def __init__(self, recipe: Recipe, folder: Path, shared: Path) -> None:
        self.recipe = recipe
        self._folder = folder
        self._shared = shared
        self._stack = ExitStack()
        self._values = {
            "python": sys.executable,
            "programs": str(PROGRAMS),
            "shared": str(shared),
            "dir": str(folder),
        }

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        self._folder.chmod(0o711)  # a subject that runs as somebody else has to pass through
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        if self.recipe.backend:
            command = [filled(part, self._values) for part in self.recipe.backend]
            backend = self._stack.enter_context(Program(*command))
            self._values["backend"] = str(backend.port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def subject(self) -> Subject:
        """What the scenarios play with."""
        recipe = self.recipe
        if recipe.kind == CLIENT:
            return ClientSubject(
                self._command(("url",)), recipe.patience, {"env": self._env(), "cwd": self._folder}
            )
        if recipe.kind == RELAY:
            return RelaySubject(self.start, http=recipe.protocol == "http", patience=recipe.patience)
        number = signal.Signals[f"SIG{recipe.signal}"].value
        return ServerSubject(
            self.start,
            plain_request(recipe),
            closing=closing_request(recipe),
            slow=slow_requests(recipe),
            patience=recipe.patience,
            signal=number,
            grace=recipe.grace,
            exit_codes=tuple(dict.fromkeys((*recipe.exit_codes, -number, 128 + number))),
        )

    def start(self, upstream: int | None = None) -> Program:
        """Start the subject anew.

        Raises:
            StartError: it does not get ready.

        """
        values = {} if upstream is None else {"upstream": str(upstream)}
        command = [filled(part, values) for part in self._command(("port", *values))]
        ready = self.recipe.ready or None
        return Program(
            *command, ready=ready, within=self.recipe.within, env=self._env(), cwd=self._folder, grace=1.0
        )

    def prepare(self) -> None:
        """Fill the shared folder, as the user that will use it.

        Raises:
            HarnessError: a command fails; with what it printed.

        """
        self._shared.mkdir(parents=True)
        self._shared.chmod(0o711)
        if self.recipe.user and os.geteuid() == 0:
            shutil.chown(self._shared, self.recipe.user)
        for command in self.recipe.prepare:
            launched = write_kit(self._folder / "prepare.json", self._kit(command, setup=()))
            self._run(launched)

    # --- in here ----------------------------------------------------------------------------------

    def _env(self) -> dict[str, str]:
        return {name: filled(value, self._values) for name, value in self.recipe.env.items()}

    def _command(self, ports: tuple[str, ...] = ()) -> list[str]:
        """The command; where a kit is needed, the one that launches it and is told the ports."""
        if not self.recipe.needs_a_kit:
            return [filled(part, self._values) for part in self.recipe.command]
        launched = write_kit(self._folder / f"{self.recipe.name}.json", self._kit(self.recipe.command))
        return [*launched, *(f"{port}={{{port}}}" for port in ports)]

    def _kit(
        self, command: tuple[str, ...], setup: tuple[tuple[str, ...], ...] | None = None
    ) -> dict[str, Any]:
        values = {name: value for name, value in self._values.items() if name != "dir"}
        return {
            "command": command,
            "files": dict(self.recipe.files),
            "setup": self.recipe.setup if setup is None else setup,
            "user": self.recipe.user,
            "values": values,
        }

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_PREPARES_WITHIN)
        if done.returncode:
            raise HarnessError(
                f"{self.recipe.name}: its preparation failed with code {done.returncode}; run it by hand\n"
                f"{(done.stdout + done.stderr)[-2000:]}"
            )
