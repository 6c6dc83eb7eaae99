"""Tables of the steering commands: what is copied from them is whole, however narrow the place."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest

from finproxy.cli.tables import show

ADDRESS, LONG = "127.0.0.1:9000", "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:54321"
RULES = "client.fin -> delay 1s; server.fin -> hold; client.bytes 1000 -> reset"
HEADINGS = ("proxy", "listen", "upstream", "", "open", "rules")
ROW = ("web-of-the-shop", ADDRESS, LONG, "enabled", "12", RULES)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def printed(out: io.StringIO) -> list[str]:
    with redirect_stdout(out):
        show(None, HEADINGS, [ROW], as_json=False)
    return out.getvalue().splitlines()


def test_without_a_terminal_each_row_is_one_line() -> None:
    heading, row = printed(io.StringIO())

    assert heading.split() == " ".join(HEADINGS).split()
    assert row.split() == " ".join(ROW).split()


def test_on_a_terminal_rules_are_folded_and_nothing_else() -> None:
    lines = printed(Terminal())

    assert all(cell in lines[1] for cell in ROW[:-1])
    assert " ".join(line[len(lines[1].partition("client.fin")[0]) :].strip() for line in lines[1:]) == RULES


def test_on_a_wide_terminal_each_row_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")

    assert len(printed(Terminal())) == 2


def test_a_table_without_rows_has_its_headings() -> None:
    with redirect_stdout(Terminal()) as out:
        show(None, HEADINGS, [], as_json=False)

    assert all(heading in out.getvalue() for heading in HEADINGS)
