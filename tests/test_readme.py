"""What the README shows is so: its programs run, its tables are the notation's."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from finproxy import guide
from finproxy.config import load
from tests.harness.connections import needs_linux

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def web_server() -> Iterator[str]:
    """An HTTP/1.0 server that closes after its answer; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@needs_linux
@pytest.mark.parametrize("program", PROGRAMS, ids=["open_proxy", "watch"])
def test_its_programs_run(program: str, web_server: str) -> None:
    assert "127.0.0.1:8000" in program

    done = subprocess.run(
        [sys.executable, "-c", program.replace("127.0.0.1:8000", web_server)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert re.search("HTTP/1.0 200 OK|TIME-WAIT", done.stdout)


def test_its_configuration_can_be_read(tmp_path: Path) -> None:
    [text] = [
        block for block in re.findall(r"^```toml\n(.*?)^```$", README, re.M | re.S) if "[proxy." in block
    ]
    (tmp_path / "finproxy.toml").write_text(text)

    assert [proxy.name for proxy in load(tmp_path / "finproxy.toml").proxies] == ["web", "cache"]


@pytest.mark.parametrize("entry", [*guide.TRIGGERS, *guide.ACTIONS], ids=lambda entry: entry.spelling)
def test_its_tables_are_those_of_finproxy_rules(entry: guide.Entry) -> None:
    assert f"| `{entry.spelling}` | {entry.meaning} | `{entry.example}` |" in README
