"""Rules that are changed while sessions are open: what they reach, and what they leave alone."""

from __future__ import annotations

import pytest

import finproxy
from tests.support.stage import Stage, both_ways, stage

from .playbook import mirrored, play


@pytest.mark.parametrize("turn", [str, mirrored], ids=["client", "server"])
class TestTheEngine:
    def test_a_new_rule_decides_about_an_end_that_comes_later(self, turn: type[str]) -> None:
        script = """
            > open
            > rules client.fin -> hold
            > client FIN
              < note client rule.fired
              < note client fin.held
        """
        play(turn(script))

    def test_what_is_kept_stays_kept_by_the_old_rule(self, turn: type[str]) -> None:
        script = """
            > open
            > client FIN
              < note client rule.fired
              < note client fin.held
            > rules client.fin -> relay
            > let go client
              < note client fin.released
              < FIN to server
        """
        play(turn(script), turn("client.fin -> hold"))

    def test_new_moments_are_watched_for_once_and_from_the_opening_on(self, turn: type[str]) -> None:
        script = """
            > open
            2 > rules client.after 5s -> fin;client.after 1s -> fin;client.bytes 9 -> fin
              < timer client 3s
              < watch client bytes 9
            3 > rules client.after 5s -> fin
            5 > timer client
              < note client rule.fired
              < discard client
              < FIN to server
        """
        play(turn(script))

    def test_a_moment_whose_rule_is_gone_does_nothing(self, turn: type[str]) -> None:
        script = """
            > open
              < watch client bytes 9
            > rules
            > client reached 9
        """
        play(turn(script), turn("client.bytes 9 -> reset"))

    def test_bytes_are_kept_back_as_the_new_rules_need_it(self, turn: type[str]) -> None:
        script = """
            > open
            > rules client.fin -> truncate 7
              < keep back 7 of client
            > rules client.fin -> truncate 7;client.reset -> relay
            > rules
              < keep back 0 of client
        """
        play(turn(script))

    def test_a_flow_that_has_ended_is_left_alone(self, turn: type[str]) -> None:
        script = """
            > open
            > client FIN
              < FIN to server
            > rules client.fin -> truncate 7;client.bytes 9 -> reset
        """
        play(turn(script))


async def _ends_held(s: Stage) -> None:
    s.near.fin()
    await s.story.until("fin.held", s.near_leg)
    assert s.far.hears_nothing


@both_ways
async def test_open_sessions_and_later_ones_get_the_new_rules(near: str) -> None:
    async with stage(near=near) as s:
        await s.proxy.set_rules([f"{near}.fin -> hold"])
        assert s.story.find("rules.changed")[0].fields["rules"] == [f"{near}.fin -> hold"]
        await _ends_held(s)
        await s.proxy.release(1, near)
        await s.finish_politely()


@both_ways
async def test_a_byte_that_has_passed_does_not_come_back(near: str) -> None:
    async with stage(near=near) as s:
        await s.near.send(b"12345")
        assert await s.far.receive(5) == b"12345"
        await s.proxy.set_rules([f"{near}.bytes 3 -> reset", f"{near}.bytes 7 -> fin"])
        await s.near.send(b"67")
        assert await s.far.read_until_eof() == b"67"
        assert [r.fields["rule"] for r in s.story.find("rule.fired")] == [f"{near}.bytes 7 -> fin"]


async def test_a_bad_rule_leaves_all_rules_as_they_were() -> None:
    async with stage("client.fin -> hold") as s:
        with pytest.raises(finproxy.NotationError):
            await s.proxy.set_rules(["client.fin -> relay", "client.fin -> hld"])
        await _ends_held(s)


async def test_rules_at_wire_cannot_come_late() -> None:
    async with stage("client.fin -> hold") as s:
        with pytest.raises(finproxy.WireError, match="open a proxy with it instead"):
            await s.proxy.set_rules(["client.fin -> hold at wire"])
        await _ends_held(s)


async def test_chance_is_drawn_for_the_new_rules() -> None:
    async with stage() as s:
        await s.proxy.set_rules(["client.fin -> drop @0.0000001", "client.fin -> hold"])
        await _ends_held(s)
