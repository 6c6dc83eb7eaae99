"""The README's test of an application is one that passes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.harness.connections import needs_linux

from .conftest import Runs

pytestmark = needs_linux

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
APPLICATION = """
SERVER = '''
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
'''
import pathlib, sys
pathlib.Path("myapp.py").write_text(SERVER)
"""


def test_the_ten_lines_of_the_readme_pass(runs: Runs) -> None:
    [example] = re.findall(r"^```py\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    uvicorn = f'{sys.executable!r}, "-m", "uvicorn"'

    done = runs(APPLICATION + example.replace('"uvicorn"', uvicorn))

    done.assert_outcomes(passed=1)
