"""Where all chance comes from: the seed, and whom a number is for.

One generator a session, and one for each of its toxics: what chance does to one cannot depend on how others
were interleaved, nor on what else there is. This module must not know what a number decides.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from .toxics.values import Toxic

Chance: TypeAlias = Callable[[], float]
"""Gives numbers in [0, 1)."""


def of_session(seed: int, session: int) -> Chance:
    """For the rules of a session."""
    return Random(f"{seed}/{session}").random


def of_toxic(seed: int, session: int, toxic: Toxic) -> Chance:
    """For what a toxic of this name does in one direction of a session, however often it is changed."""
    return Random(f"{seed}/{session}/{toxic.leg}/{toxic.name}").random
