import pytest

from harness.drawing.diagram import Arrow, Column, Diagram, Line, session_diagram
from harness.drawing.text import draw_text
from tests.harness.drawing.tracks import held_close

EXPECTED = """\
session 1
               client         client leg       server leg         server
           127.0.0.1:50312  127.0.0.1:9000   127.0.0.1:41200   127.0.0.1:80
       0          │               session.opened                │
             ESTABLISHED           │                │           ESTABLISHED
   500ms     FIN-WAIT-1            │                │                │
   505ms          │───── FIN ─────▶│                │                │
                  │◀──── ACK ──────│                │                │
            (FIN-WAIT-2)           │                │                │
   520ms          │    fin.held client client.fin -> hold 2s        │
   2.51s          │                │                │───── FIN ─────▶│
                  │                │                │           CLOSE-WAIT
                  │                │                │◀──── ACK ──────│
   2.55s          │                │                │            LAST-ACK
   2.56s          │                │                │───── ACK ─────▶│
                  │                │                │             CLOSED
    2.6s      TIME-WAIT            │                │                │
                  │───── ACK ─────▶│                │                │
    2.7s          │            session.closed clean                  │
"""


def drawn(width: int = 80, *, colour: bool = False, ascii_only: bool = False) -> str:
    records, client, server = held_close()
    return draw_text(
        session_diagram(records, client, server, opened_at=0),
        width=width,
        colour=colour,
        ascii_only=ascii_only,
    )


@pytest.mark.parametrize("width", [40, 65, 66, 80, 100, 132, 300])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, drawn(width).splitlines())) <= width


@pytest.mark.parametrize("width", [66, 80, 132])
def test_every_state_is_drawn_in_full_in_its_own_column(width: int) -> None:
    text = drawn(width)
    assert all(
        state in text for state in ("ESTABLISHED", "FIN-WAIT-1", "(FIN-WAIT-2)", "CLOSE-WAIT", "TIME-WAIT")
    )


def test_a_terminal_too_narrow_for_four_columns_gets_a_list() -> None:
    lines = drawn(50).splitlines()
    assert "FIN client > client leg" in lines[5]
    assert any("client FIN-WAIT-2 (inferred)" in line for line in lines)


def test_colour_adds_escapes_and_changes_nothing_else() -> None:
    coloured = drawn(colour=True)
    plain = coloured.replace("\x1b[1m", "").replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert coloured != plain
    assert plain == drawn()


def test_a_terminal_without_box_drawing_gets_ascii() -> None:
    assert drawn(ascii_only=True).isascii()


@pytest.mark.parametrize(("ascii_only", "tip"), [(False, "─" * 5 + "\u2573"), (True, "-" * 5 + "X")])
def test_a_fin_that_is_kept_out_stops_short_of_its_receiver(ascii_only: bool, tip: str) -> None:
    arrow = Arrow(0, 1, "FIN", is_kept_out=True)
    diagram = Diagram("kept out", (Column("a", ""), Column("b", "")), (Line(1.0, 0, arrow=arrow),))

    assert f"FIN {'-' if ascii_only else '─'}" in draw_text(diagram, width=60, ascii_only=ascii_only)
    assert tip in draw_text(diagram, width=60, ascii_only=ascii_only)
    assert "FIN a > b (kept out)" in draw_text(diagram, width=30)
