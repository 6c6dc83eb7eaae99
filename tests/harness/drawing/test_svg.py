from dataclasses import replace
from xml.etree import ElementTree as ET

from harness.drawing.diagram import Diagram, session_diagram
from harness.drawing.svg import draw_svg
from tests.harness.drawing.tracks import held_close

SVG = "{http://www.w3.org/2000/svg}"


def diagram() -> Diagram:
    records, client, server = held_close()
    return session_diagram(records, client, server, opened_at=0)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_it_is_well_formed_and_tells_all_that_the_diagram_has() -> None:
    shown = texts(draw_svg(diagram()))
    for line in diagram().lines:
        for expected in [line.remark, line.arrow and line.arrow.label, *(mark.state for mark in line.states)]:
            assert not expected or expected in shown
    assert shown.count("ESTABLISHED") == 2


def test_an_inferred_state_looks_different_from_an_observed_one() -> None:
    kinds = [element.get("class") for element in ET.fromstring(draw_svg(diagram())).iter(f"{SVG}rect")]
    assert kinds.count("inferred") == 1
    assert kinds.count("state") == 7


def test_it_carries_a_dark_and_a_light_half_and_nothing_from_elsewhere() -> None:
    svg = draw_svg(diagram())
    assert "prefers-color-scheme: dark" in svg
    assert "href" not in svg
    assert "<script" not in svg


def test_nothing_is_drawn_outside_the_paper() -> None:
    root = ET.fromstring(draw_svg(diagram()))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for element in root.iter(f"{SVG}text"):
        assert 0 <= float(element.get("x", -1)) <= width
        assert 0 <= float(element.get("y", -1)) <= height


def test_what_is_markup_in_a_name_is_escaped() -> None:
    assert "a <b> & c" in texts(draw_svg(replace(diagram(), title="a <b> & c")))
