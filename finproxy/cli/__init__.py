"""The command line, and the only place where everything is put together.

A thin skin, one module for each group of commands: each command turns its arguments into settings and calls
what does the work. Importing it must stay cheap enough for `--help`; what a command needs is imported inside
it. (The annotations are read by typer at run time, so what they name is imported at the top.)
"""

from . import agent, auditing, following, running, serving, steering, toxics, watching
from .app import app, main

__all__ = [
    "agent",
    "app",
    "auditing",
    "following",
    "main",
    "running",
    "serving",
    "steering",
    "toxics",
    "watching",
]
