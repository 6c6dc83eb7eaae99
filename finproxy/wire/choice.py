"""Which technique serves here: asked once at start, answered by proof.

Role: the order of preference, the forced choice, and the refusal that names what is missing. It must not know
how techniques work. A wish that nothing here can serve is an error at start; it is never weakened in silence.
"""

from dataclasses import dataclass

from finproxy.wire.nfqueue import NfQueue
from finproxy.wire.socket_filter import SocketFilter
from finproxy.wire.technique import Probe, Technique, WireError
from finproxy.wire.zero_window import ZeroWindow

TECHNIQUES: tuple[type[Technique], ...] = (NfQueue, SocketFilter, ZeroWindow)
"""Best first: exact and instant (its package was installed on purpose); exact; needs pending bytes."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What the rules of one run ask of a technique."""

    bare_fin: bool = True
    """A FIN must be held whatever precedes it. False only where the caller sees to enough pending bytes."""
    overtake: bool = False


def names() -> list[str]:
    """Return what `--wire` accepts."""
    return [technique.name for technique in TECHNIQUES]


def probe_all() -> list[tuple[Technique, Probe]]:
    """Prove each technique with a FIN of its own, best first. Blocks, about 0.5 s."""
    return [(technique, technique.probe()) for technique in (kind() for kind in TECHNIQUES)]


def choose(needs: Needs, forced: str | None = None) -> Technique:
    """Return the best technique that serves these needs and has just proved itself.

    A forced technique is held to `overtake` but not to `bare_fin`: whoever names zero-window has pending
    bytes, and a look that says ACCEPTED tells when they were too few.

    Raises:
        WireError: Nothing serves; says for each technique what is missing.

    """
    if forced is not None:
        return _forced(needs, forced)
    obstacles: list[str] = []
    for kind in TECHNIQUES:
        technique = kind()
        obstacle = _unable(technique, needs) or _unproved(technique)
        if obstacle is None:
            return technique
        obstacles.append(f"  {technique.name}: {obstacle}")
    raise WireError(
        "expected a technique that keeps FIN segments out here, found none\n" + "\n".join(obstacles),
        "mend one of these, or act at the relay: leave out `at wire`",
    )


def _forced(needs: Needs, name: str) -> Technique:
    for kind in TECHNIQUES:
        if kind.name == name:
            technique = kind()
            wish = Needs(bare_fin=False, overtake=needs.overtake)
            obstacle = _unable(technique, wish) or _unproved(technique)
            if obstacle is not None:
                raise WireError(f"--wire {name}: {obstacle}", "mend this, or leave out --wire")
            return technique
    raise WireError(f"--wire: expected one of {', '.join(names())}, found {name!r}", "choose one of these")


def _unable(technique: Technique, needs: Needs) -> str | None:
    if needs.overtake and not technique.abilities.overtake:
        return "cannot let a FIN overtake its data"
    if needs.bare_fin and not technique.abilities.bare_fin:
        return (
            f"cannot hold a FIN that no data precedes; if enough bytes will be pending, "
            f"name it: --wire {technique.name}"
        )
    return None


def _unproved(technique: Technique) -> str | None:
    probe = technique.probe()
    if probe.ok:
        return None
    return f"{probe.why.removeprefix(f'{technique.name}: ')} (to do: {probe.what_to_do})"
