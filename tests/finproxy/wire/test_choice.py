"""The choice: best first, forced by name, refused with every reason."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from finproxy.errors import FinproxyError
from finproxy.wire import choice
from finproxy.wire.choice import Needs, choose, names, probe_all
from finproxy.wire.proof import prove
from finproxy.wire.technique import Abilities, Keep, Probe, Sight, Technique, WireHold
from tests.finproxy.wire.kernel import network_namespace

Kind = Callable[..., type[Technique]]


class Idle(Technique):
    """Keeps nothing out, whatever it says."""

    name = "idle"
    abilities = Abilities(True, True, True, True, False)

    def probe(self) -> Probe:
        return prove(self)

    def prepare(self, sock: socket.socket, keep: Keep = Keep.FIN) -> None:
        pass

    def hold(self, leg: socket.socket, keep: Keep = Keep.FIN) -> WireHold:
        assert leg.fileno() >= 0
        assert keep is Keep.FIN
        return IdleHold()

    def close(self) -> None:
        pass


class IdleHold(WireHold):
    def look(self) -> Sight:
        return Sight.KEPT_OUT

    def release(self) -> None:
        pass

    def arm(self) -> None:
        pass

    def close(self) -> None:
        pass


def kind(name: str, *, ok: bool = True, bare_fin: bool = True, overtake: bool = False) -> type[Technique]:
    class Made(Idle):
        abilities = Abilities(
            bare_fin=bare_fin, overtake=overtake, instant_release=True, sees_fin=True, stops_reading=False
        )

        def probe(self) -> Probe:
            return Probe(ok=True, why="") if ok else Probe(ok=False, why="no module", what_to_do="load it")

    Made.name = name
    return Made


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def offered(*kinds: type[Technique]) -> None:
        monkeypatch.setattr(choice, "TECHNIQUES", kinds)

    return offered


def test_the_first_that_proves_itself_is_chosen(offer: Callable[..., None]) -> None:
    offer(kind("a", ok=False), kind("b"), kind("c"))

    assert choose(Needs()).name == "b"


def test_what_the_rules_need_decides_before_the_probe(offer: Callable[..., None]) -> None:
    offer(kind("a"), kind("b", overtake=True), kind("c", bare_fin=False))

    assert choose(Needs(overtake=True)).name == "b"


def test_pending_bytes_admit_a_technique_that_needs_them(offer: Callable[..., None]) -> None:
    offer(kind("a", ok=False), kind("c", bare_fin=False))

    assert choose(Needs(bare_fin=False)).name == "c"


def test_the_refusal_names_what_each_one_lacks(offer: Callable[..., None]) -> None:
    offer(kind("a", ok=False), kind("c", bare_fin=False))

    with pytest.raises(FinproxyError) as refusal:
        choose(Needs())

    text = str(refusal.value)
    assert "a: no module (to do: load it)" in text
    assert "c: cannot hold a FIN that no data precedes" in text
    assert "--wire c" in text
    assert "at the relay" in text


def test_a_forced_technique_is_taken_or_refused_but_never_replaced(offer: Callable[..., None]) -> None:
    offer(kind("a"), kind("b", ok=False), kind("c", bare_fin=False))

    assert choose(Needs(), forced="c").name == "c"
    with pytest.raises(FinproxyError, match=r"--wire b: no module \(to do: load it\)"):
        choose(Needs(), forced="b")
    with pytest.raises(FinproxyError, match=r"--wire a: cannot let a FIN overtake"):
        choose(Needs(overtake=True), forced="a")
    with pytest.raises(FinproxyError, match=r"expected one of a, b, c, found 'd'"):
        choose(Needs(), forced="d")


def test_a_probe_believes_the_kernel_and_not_the_technique() -> None:
    probe = Idle().probe()

    assert not probe.ok
    assert "the leg in ESTABLISHED, found" in probe.why


def test_real_probes_answer_with_reasons() -> None:
    # Root's probes write firewall rules for a moment: not into the host's own.
    with network_namespace() if os.geteuid() == 0 else contextlib.nullcontext():
        answers = {technique.name: probe for technique, probe in probe_all()}

    assert list(answers) == names() == ["nfqueue", "socket-filter", "zero-window"]
    assert all(probe.why and (probe.ok or probe.what_to_do) for probe in answers.values())
    assert not sys.platform.startswith("linux") or answers["zero-window"].ok


def test_importing_the_package_loads_no_technique() -> None:
    script = "import sys, finproxy.wire; assert 'finproxy.wire.technique' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_public_name_can_be_had() -> None:
    import finproxy.wire

    assert all(getattr(finproxy.wire, name) is not None for name in finproxy.wire.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        finproxy.wire.nothing  # noqa: B018
