"""The engine with rules at wire: what becomes of a FIN segment, from its arrival to its acceptance."""

from __future__ import annotations

import pytest

from finproxy.legs import Leg, Relayed

from .playbook import mirrored, play

Rules = tuple[str, ...]

SCRIPTS: dict[str, tuple[Rules, str]] = {
    "hold": (
        ("client.fin -> hold at wire",),
        """
        > open
          < keep FIN of client out
        1 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        3 > let go client
          < note client fin.released
          < let FIN of client in
        4 > client FIN
          < FIN to server
        """,
    ),
    "hold with a limit": (
        ("client.fin -> hold 5s at wire",),
        """
        > open
          < keep FIN of client out
        1 > client FIN kept out
          < note client rule.fired
          < timer client 5s
          < note client fin.held
        6 > timer client
          < note client fin.released
          < let FIN of client in
        7 > client FIN
          < FIN to server
        """,
    ),
    "a FIN that slips in is kept at the relay, and that is said": (
        ("client.fin -> hold at wire",),
        """
        > open
          < keep FIN of client out
        1 > client FIN
          < note client rule.fired
          < note client fin.slipped
          < note client fin.held
        3 > let go client
          < note client fin.released
          < FIN to server
        """,
    ),
    "drop": (
        ("client.fin -> drop at wire",),
        """
        > open
          < keep FIN of client out
        1 > client FIN kept out
          < note client rule.fired
          < keep back 0 of client
          < note client fin.dropped
        """,
    ),
    "reorder lets it in once the opposite FIN has left": (
        ("client.fin -> reorder at wire",),
        """
        > open
          < keep FIN of client out
        1 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        2 > server FIN
          < FIN to client
        > FIN left to client
          < note client fin.released
          < let FIN of client in
        3 > client FIN
          < FIN to server
          < await client
        """,
    ),
    "simultaneous answers both before it lets either in": (
        ("any.fin -> simultaneous at wire",),
        """
        > open
          < keep FIN of client out
          < keep FIN of server out
        1 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        2 > server FIN kept out
          < note server rule.fired
          < FIN to client
          < FIN to server
          < note client fin.released
          < let FIN of client in
          < let FIN of server in
        > FIN left to client
        > FIN left to server
        3 > client FIN
          < await client
        > server FIN
          < await server
        """,
    ),
    "simultaneous for one leg: the opposite FIN crosses the one that is kept out": (
        ("client.fin -> simultaneous at wire",),
        """
        > open
          < keep FIN of client out
        1 > server FIN
          < note server fin.held
        2 > client FIN kept out
          < note client rule.fired
          < note server fin.released
          < FIN to client
          < let FIN of client in
        """,
    ),
    "overtake passes the FIN on, and says that it was early": (
        ("client.fin -> overtake at wire",),
        """
        > open
          < keep FIN of client out
        1 > client FIN overtook
          < note client fin.overtook
        2 > client FIN
          < note client rule.fired
          < FIN to server
        """,
    ),
    "a FIN sent in its name leaves the segment outside": (
        ("client.fin -> hold at wire",),
        """
        > open
          < keep FIN of client out
        1 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        2 > ask client fin
          < discard client
          < FIN to server
        > FIN left to server
        3 > let go client
          < note client fin.released
          < let FIN of client in
        4 > client FIN
        """,
    ),
    "a FIN sent in its name before keeps no segment from being held": (
        ("client.fin -> hold at wire",),
        """
        > open
          < keep FIN of client out
        1 > ask client fin
          < discard client
          < FIN to server
        > FIN left to server
        2 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        3 > let go client
          < note client fin.released
          < let FIN of client in
        4 > client FIN
        """,
    ),
    "a second request for its FIN changes nothing": (
        ("client.fin -> hold at wire",),
        """
        > open
          < keep FIN of client out
        1 > ask client fin
          < discard client
          < FIN to server
        > FIN left to server
        2 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        > ask client fin
          < discard client
        3 > let go client
          < note client fin.released
          < let FIN of client in
        """,
    ),
    "a moment that relays lets it in": (
        ("client.fin -> hold at wire", "client.after 2s -> relay"),
        """
        > open
          < timer client 2s
          < keep FIN of client out
        1 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        2 > timer client
          < note client rule.fired
          < note client fin.released
          < let FIN of client in
        3 > client FIN
          < FIN to server
        """,
    ),
    "what is let in can be held at the relay, if somebody asks in time": (
        ("client.fin -> hold at wire",),
        """
        > open
          < keep FIN of client out
        1 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        2 > let go client
          < note client fin.released
          < let FIN of client in
        > hold client
        3 > client FIN
          < note client fin.held
        """,
    ),
    "letting go twice does not ask the rules again": (
        ("client.fin -> hold at wire",),
        """
        > open
          < keep FIN of client out
        1 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        2 > let go client
          < note client fin.released
          < let FIN of client in
        > let go client
        3 > client FIN
          < FIN to server
        """,
    ),
    "its own reset ends the hold and is relayed": (
        ("client.fin -> hold at wire",),
        """
        > open
          < keep FIN of client out
        1 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        2 > client RST
          < keep back 0 of client
          < note client fin.dropped
          < release client
          < discard server
          < await server for a while
        > server has all
          < abort server
        """,
    ),
    "a reset after it was let in obeys the rule for resets": (
        ("client.fin -> hold at wire", "client.reset -> drop"),
        """
        > open
          < keep FIN of client out
        1 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        > let go client
          < note client fin.released
          < let FIN of client in
        2 > client RST
          < release client
          < discard server
          < note client rule.fired
          < keep back 0 of client
          < note client reset.dropped
        """,
    ),
    "nobody is left to be told: it is let in": (
        ("client.fin -> hold at wire", "server.reset -> drop"),
        """
        > open
          < keep FIN of client out
        1 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        2 > server RST
          < release server
          < note client fin.released
          < let FIN of client in
          < discard client
          < note server rule.fired
          < keep back 0 of server
          < note server reset.dropped
        3 > client FIN
          < keep back 0 of client
        """,
    ),
    "a blackhole swallows it": (
        ("client.fin -> hold at wire", "server.after 2s -> blackhole"),
        """
        > open
          < keep FIN of client out
          < timer server 2s
        1 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        2 > timer server
          < note server rule.fired
          < stop moving
          < keep back 0 of client
          < note client fin.dropped
        """,
    ),
    "after a blackhole it stays outside": (
        ("client.fin -> hold at wire", "server.after 2s -> blackhole"),
        """
        > open
          < keep FIN of client out
          < timer server 2s
        2 > timer server
          < note server rule.fired
          < stop moving
        3 > client FIN kept out
        """,
    ),
}


@pytest.mark.parametrize("turn", [str, mirrored], ids=["client", "server"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_kept_out_fin(name: str, turn: type[str]) -> None:
    rules, script = SCRIPTS[name]
    if turn is not str and "any." in rules[0]:
        pytest.skip("the rule is its own mirror image, the order of its legs is not")
    play(_client_first(turn(script)), *(turn(rule) for rule in rules))


def _client_first(script: str) -> str:
    """What is said at the opening comes in the order of the legs, also in the mirror."""
    opening, first, rest = script.partition("1 >" if "1 >" in script else "2 >")
    head, *answers = opening.strip().splitlines()
    return "\n".join([head, *sorted(answers, key=lambda line: "server" in line), first + rest])


def test_a_fin_told_while_the_segment_is_outside_is_told_once() -> None:
    engine = play(
        """
        > open
          < keep FIN of client out
        1 > client FIN kept out
          < note client rule.fired
          < note client fin.held
        2 > ask client full-close
          < discard client
          < FIN to server
          < discard server
          < FIN to client
        > FIN left to client
        > FIN left to server
        3 > let go client
          < note client fin.released
          < let FIN of client in
        4 > client FIN
          < await client
        """,
        "client.fin -> hold at wire",
    )
    client = engine.endpoint(Leg.CLIENT)
    assert client.told is Relayed.FIN
    assert client.kept_for == 2
