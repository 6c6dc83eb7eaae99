import pytest

from harness.knobs import read_knobs
from harness.sources import sysctl
from tests.harness.connections import needs_linux


@needs_linux
def test_each_knob_says_what_it_changes_and_has_its_value_here() -> None:
    knobs = {knob.name: knob for knob in read_knobs()}
    value = knobs["net.ipv4.tcp_fin_timeout"].value
    assert value is not None
    assert value.isdigit()
    assert all(knob.meaning for knob in knobs.values())


def test_a_setting_that_this_system_lacks_has_no_value() -> None:
    assert sysctl.read("net.ipv4.no_such_setting") is None


@needs_linux
def test_a_value_of_several_numbers_is_one_line_with_single_spaces() -> None:
    value = sysctl.read("net.ipv4.ip_local_port_range")
    assert value is not None
    assert [part.isdigit() for part in value.split(" ")] == [True, True]


@pytest.mark.parametrize("knob", read_knobs(), ids=lambda knob: knob.name)
def test_names_are_sysctl_names(knob: object) -> None:
    assert str(getattr(knob, "name", "")).startswith("net.")
