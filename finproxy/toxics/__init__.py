"""Toxics: faults in the bytes of a flow, under the names that Toxiproxy gave them.

    from finproxy.toxics import Latency, Toxic

    await proxy.set_toxics([Toxic("slow", "downstream", Latency(latency=300))])

`values` says what a toxic is, `stages` what each kind does to bytes, `line` puts stages between a leg and its
flow, and `lines` has both lines of a session. Nothing in here knows sockets or Trio.
"""

from __future__ import annotations

from .values import KINDS as KINDS
from .values import Bandwidth as Bandwidth
from .values import Fin as Fin
from .values import Latency as Latency
from .values import LimitData as LimitData
from .values import Noop as Noop
from .values import ResetPeer as ResetPeer
from .values import Slicer as Slicer
from .values import SlowClose as SlowClose
from .values import Timeout as Timeout
from .values import Toxic as Toxic
from .values import ToxicError as ToxicError
