"""The command line, from its arguments to exit codes and files."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import psutil
import pytest

from finproxy.cli.app import main
from harness.audit.export import schema
from harness.output import wait_until
from tests.harness.connections import needs_linux

from . import subjects

AUDIT = [sys.executable, "-m", "finproxy", "audit"]
PATIENT = ["--protocol=raw", "--ask=0", "--ask=ok", "--slow={seconds}", "--slow=ok", "--patience=3s"]
LATE = "half-close-request:answer_delay=0.3"
SERVE = [sys.executable, "-c", subjects.PATIENT, "{port}"]


def audit(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*AUDIT, *arguments], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("", "expected --known, --config FILE, or one of server, client, relay, diff"),
        ("server -- serve 80", "expected {port} in the command of a server, found 'serve 80'"),
        ("relay -- relay {port}", "expected {upstream} in the command of a relay"),
        ("relay --listen 80 -- relay {port} {upstream}", "the audit chooses the ports itself"),
        ("client -- ask", "expected {url} or {urls} or {port} in the command of a client"),
        ("client --only half-close-request -- ask {url}", "expected a scenario that applies"),
        ("server --only nonsense -- serve {port}", "found 'nonsense'"),
        ("server --grace soon -- serve {port}", "server grace: "),
        ("server --env X -- serve {port}", "--env: expected NAME=VALUE, found 'X'"),
        ("server --json /dev/null/a.json -- serve {port}", "/dev/null/a.json: cannot be written"),
        ("--known nginx-nope", "found 'nginx-nope'"),
        ("--config nowhere.toml", "nowhere.toml: cannot be read"),
        ("--explain nonsense", "found 'nonsense'"),
        ("diff nowhere.json nowhere.json", "nowhere.json: cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_starts(
    arguments: str,
    complaint: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["finproxy", "audit", *shlex.split(arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert complaint in printed.err
    assert (ended.value.code, printed.out) == (2, "")


def test_list_and_explain() -> None:
    listed = audit("--list")
    assert listed.returncode == 0
    assert "nginx-quit" in listed.stdout
    assert "half-close-request" in listed.stdout
    explained = audit("--explain", "half-close-request")
    assert explained.returncode == 0
    assert "RFC 9293" in explained.stdout


@needs_linux
def test_a_server_from_the_command_line_with_all_reports_and_a_diff(tmp_path: Path) -> None:
    files = [
        "--report",
        str(tmp_path / "out"),
        "--junit",
        str(tmp_path / "j.xml"),
        "--json",
        str(tmp_path / "a.json"),
    ]
    done = audit("server", "--name", "mine", *PATIENT, "--only", LATE, *files, "--", *SERVE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 pass" in done.stdout
    assert f"[2/2] mine/{LATE}  ✔" in done.stderr
    report = json.loads((tmp_path / "a.json").read_text())
    jsonschema.validate(report, schema())
    assert (tmp_path / "out" / "report.json").read_text() == (tmp_path / "a.json").read_text()
    assert "<!DOCTYPE html>" in (tmp_path / "out" / "index.html").read_text()
    assert "testsuite" in (tmp_path / "j.xml").read_text()
    same = audit("diff", str(tmp_path / "a.json"), str(tmp_path / "a.json"))
    assert (same.returncode, "0 changed" in same.stdout) == (0, True)


@needs_linux
def test_a_failure_is_told_with_the_command_that_repeats_just_it_and_it_does(tmp_path: Path) -> None:
    relay = [sys.executable, "-c", subjects.FULL_CLOSING, "{port}", "{upstream}"]
    first = audit("relay", "--name", "full", "--json", str(tmp_path / "a.json"), "--only", LATE, "--", *relay)
    assert first.returncode == 1, first.stdout + first.stderr
    cells = json.loads((tmp_path / "a.json").read_text())["cells"]
    again = cells[f"full/{LATE}"]["repeat"]
    words = shlex.split(again)
    assert words[:2] == ["finproxy", "audit"]
    second = audit(*words[2:])
    assert second.returncode == 1
    assert "1 cells" in second.stdout


@needs_linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_audit_writes_what_was_done(number: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    command = [*AUDIT, "server", *PATIENT, "--only", "half-close-request", "--json", str(out), "--", *SERVE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("[2/4]"):
                break
        process.send_signal(number)
        said = process.stdout.read() if process.stdout else ""
    assert process.returncode == 2, said
    report = json.loads(out.read_text())
    assert len(report["cells"]) in {1, 2}
    assert not report["complete"]
    assert "not played" in said


def unended(token: str) -> list[psutil.Process]:
    """Processes called as this says that have not ended."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if token in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def leaving(token: str, *options: str) -> list[str]:
    """The arguments of an audit whose subject has a child that has left."""
    serve = [sys.executable, "-c", subjects.LEAVING, "{port}", token]
    return ["server", *options, "--only", "clean-client-close", "--", *serve]


@needs_linux
def test_an_audit_leaves_no_process_behind() -> None:
    token = os.urandom(8).hex()
    done = audit(*leaving(token, *PATIENT))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not unended(token)


ENDS_SLOWLY = """
import sys
from finproxy.cli.app import main
from harness.audit import crew
crew._LEAVES_WITHIN = 600.0
main()
"""


@needs_linux
@pytest.mark.parametrize("protocol", ["hanging", "unending"])
def test_interrupted_and_interrupted_again_an_audit_leaves_no_process_behind(protocol: str) -> None:
    token = os.urandom(8).hex()
    known = [f"--protocol=tests.harness.audit.subjects:{protocol}"]
    command = [sys.executable, "-c", ENDS_SLOWLY, "audit", *leaving(token, *known)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        # The audit itself, its subject, and the subject's child that has left.
        assert wait_until(lambda: len(unended(token)) == 3, 60)
        process.send_signal(signal.SIGINT)
        for line in process.stderr:
            if line.startswith("interrupted:"):
                break
        if protocol == "unending":
            process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2, said
    assert "not played" in said
    assert not unended(token)


@needs_linux
def test_subjects_of_a_file_with_variants(tmp_path: Path) -> None:
    config = tmp_path / "audit.toml"
    code = json.dumps(subjects.PATIENT)
    config.write_text(
        'only = ["clean-client-close"]\n[subject.mine]\n'
        'kind = "server"\nprotocol = "raw"\nask = ["0", "ok"]\n'
        f'command = ["{{python}}", "-c", {code}, "{{port}}"]\n[subject.mine.variant.other]\ngrace = "2s"\n'
    )
    done = audit("--config", str(config), "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mine-other" in done.stdout
    assert "2 cells" in done.stdout
