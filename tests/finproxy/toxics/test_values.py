"""Toxics as values: what they are called, whose bytes they are done to, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from finproxy.legs import Leg
from finproxy.settings import Settings
from finproxy.toxics import (
    KINDS,
    Bandwidth,
    Fin,
    Latency,
    LimitData,
    Noop,
    Slicer,
    Toxic,
    ToxicError,
)
from finproxy.toxics.values import Attributes

TYPES = ["bandwidth", "fin", "latency", "limit_data", "noop", "reset_peer", "slicer", "slow_close", "timeout"]


def test_every_type_has_its_kind() -> None:
    assert sorted(KINDS) == TYPES


@pytest.mark.parametrize("name", TYPES)
def test_a_toxic_knows_its_type(name: str) -> None:
    attributes: Attributes = Fin("client.fin -> hold") if name == "fin" else KINDS[name]()  # type: ignore[call-arg]
    assert Toxic("t", "upstream", attributes).type == name


@pytest.mark.parametrize(
    ("stream", "leg"),
    [("upstream", Leg.CLIENT), ("downstream", Leg.SERVER), ("UPstream", Leg.CLIENT)],
)
def test_a_stream_is_a_legs_bytes_in_any_case(stream: str, leg: Leg) -> None:
    toxic = Toxic("t", stream, Noop())
    assert toxic.leg is leg
    assert toxic.stream == stream


def test_as_dict_is_what_toxiproxys_clients_know() -> None:
    toxic = Toxic("slow", "downstream", Latency(latency=100), 0.5)
    assert list(toxic.as_dict().items()) == [
        ("attributes", {"latency": 100, "jitter": 0}),
        ("name", "slow"),
        ("type", "latency"),
        ("stream", "downstream"),
        ("toxicity", 0.5),
    ]
    assert repr(Toxic("t", "upstream", Noop()).as_dict()["toxicity"]) == "1"


@pytest.mark.parametrize("value", ["100", 1.5, True, None, 2**63, -(2**63) - 1])
@pytest.mark.parametrize("make", [lambda v: Latency(latency=v), lambda v: Slicer(delay=v)])
def test_an_attribute_is_a_whole_number_of_64_bits(make: Any, value: Any) -> None:
    with pytest.raises(ToxicError, match=r"expected a whole number of 64 bits as '(latency|delay)', found"):
        make(value)


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63)])
def test_any_such_number_will_do(value: int) -> None:
    assert LimitData(bytes=value).bytes == Bandwidth(rate=value).rate == value


@pytest.mark.parametrize("stream", ["", "up", "down stream", 1, None])
def test_another_stream_is_refused(stream: Any) -> None:
    with pytest.raises(ToxicError, match="toxic 't': expected the stream 'upstream' or 'downstream', found"):
        Toxic("t", stream, Noop())


def test_a_misspelt_stream_is_recognised() -> None:
    with pytest.raises(ToxicError, match="did you mean 'downstream'"):
        Toxic("t", "dwnstream", Noop())


@pytest.mark.parametrize("toxicity", ["1", True, None, float("nan"), float("inf")])
def test_a_toxicity_is_a_number(toxicity: Any) -> None:
    with pytest.raises(ToxicError, match=r"expected a number such as 0\.5 as toxicity, found"):
        Toxic("t", "upstream", Noop(), toxicity)


@pytest.mark.parametrize("toxicity", [-3, 0, 0.25, 7])
def test_a_toxicity_is_not_checked_for_its_range_as_toxiproxy_does_not(toxicity: float) -> None:
    assert Toxic("t", "upstream", Noop(), toxicity).toxicity == toxicity


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_toxic_needs_a_name(name: Any) -> None:
    with pytest.raises(ToxicError, match="expected a name for the toxic"):
        Toxic(name, "upstream", Noop())


@pytest.mark.parametrize("attributes", [None, {"latency": 5}, "latency", Latency])
def test_a_toxic_needs_attributes(attributes: Any) -> None:
    with pytest.raises(ToxicError, match="expected attributes such as"):
        Toxic("t", "upstream", attributes)


def test_names_are_unique_in_a_proxy_over_both_streams() -> None:
    toxics = (Toxic("t", "upstream", Noop()), Toxic("t", "downstream", Latency()))
    with pytest.raises(ToxicError, match="found 't' twice"):
        Settings(upstream=("127.0.0.1", 1), toxics=toxics)


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("client.fin -> hodl", "column 15: expected an action"),
        ("", "the fin toxic's rule: "),
        (None, "expected a rule such as 'client.fin -> hold' as the fin toxic's rule, found None"),
        ("client.fin -> hold at wire", "give this rule to the proxy instead"),
    ],
)
def test_a_rule_that_cannot_be_a_toxic_is_refused(rule: Any, complaint: str) -> None:
    with pytest.raises(ToxicError, match=complaint):
        Fin(rule)
