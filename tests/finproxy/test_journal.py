from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from finproxy.journal import Journal, JournalError
from finproxy.legs import Leg
from finproxy.records import Record

RECORD = Record("fin.sent", 1.5, 0.0, None, 7, Leg.SERVER, {"why": "ärger\nhere"})


def test_a_record_is_one_line_of_json() -> None:
    out = io.StringIO()
    journal = Journal(out)
    journal(RECORD)
    journal(RECORD)
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0]) == RECORD.as_dict()
    assert "ärger" in lines[0]


def test_each_line_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    journal = Journal.open(str(path))
    journal(RECORD)
    written = path.read_text(encoding="utf-8")
    journal.close()
    assert json.loads(written)["session"] == 7


def test_a_journal_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("yesterday\n")
    Journal.open(str(path)).close()
    assert path.read_text() == ""


def test_a_dash_is_standard_output_which_stays_open(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal.open("-")
    journal(RECORD)
    journal.close()
    print("still open")
    line, after = capsys.readouterr().out.splitlines()
    assert json.loads(line)["event"] == "fin.sent"
    assert after == "still open"


def test_a_journal_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    path = tmp_path / "no" / "such" / "folder.jsonl"
    with pytest.raises(JournalError, match=f"cannot write the journal {path}: No such file or directory"):
        Journal.open(str(path))
