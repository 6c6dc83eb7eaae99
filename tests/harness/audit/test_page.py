from __future__ import annotations

from html.parser import HTMLParser

import pytest

from harness.audit.page import draw_page
from harness.scenarios import Verdict

from . import made


class Outline(HTMLParser):
    """Ids, links, picture addresses, scripts and visible text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.scripts = 0
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.scripts += tag == "script"
        self.ids += [named["id"] or ""] if "id" in named else []
        self.links += [named["href"] or ""] if "href" in named else []
        self.sources += [named["src"] or ""] if "src" in named else []

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def page() -> Outline:
    results = [
        made.result(made.cell("one"), made.outcome(Verdict.FAIL, output=made.HOSTILE, reason=made.HOSTILE)),
        made.result(made.cell("two"), made.outcome(), made.outcome(close=Verdict.INFO)),
    ]
    return Outline(draw_page(made.audit(results, [made.column("one"), made.column("two", made.HOSTILE)])))


def test_what_programs_print_stays_text(page: Outline) -> None:
    assert page.scripts == 1
    assert made.HOSTILE.replace("\x00", "") in page.text.replace("\x00", "").replace(
        "\N{REPLACEMENT CHARACTER}", ""
    )


def test_nothing_is_fetched_from_anywhere(page: Outline) -> None:
    assert page.sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    assert all(link.startswith(("#", "data:,")) for link in page.links)


def test_every_link_leads_somewhere(page: Outline) -> None:
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert {"cell-1", "cell-2"} <= set(page.ids)


def test_the_evidence_is_there(page: Outline) -> None:
    for piece in ("a fact", "a ladder", "fin.held", "client.fin -> hold", "limit 2", "FIN-WAIT-1 is missing"):
        assert piece in page.text
    assert "finproxy audit --config a.toml --only one/half-close-request:answer_delay=0" in page.text


def test_runs_that_differ_are_both_shown_and_counted(page: Outline) -> None:
    assert page.text.count("1 of 2 runs") == 2


def test_an_audit_in_which_nothing_was_played_is_a_page_too() -> None:
    assert "0 cells" in draw_page(made.audit([], [made.column(problem="no")], planned=1))
