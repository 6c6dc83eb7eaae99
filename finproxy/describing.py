"""How a session ended, put together from what the engine decided and what the flows have counted.

This module must not know how an ending is written (records.py) or shown (console.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from .engine import Engine
from .legs import LEGS, Ending, FlowEnding, Leg, Loss
from .relay import Flow


def describe_ending(engine: Engine, flows: Mapping[Leg, Flow], age: float) -> Ending:
    """The ending of a session that is `age` seconds old and over."""
    client, server = (_describe_flow(engine, flows[leg], age) for leg in LEGS)
    losses = [Loss(leg, count, why) for leg, flow in flows.items() for why, count in flow.losses.items()]
    return Ending(client, server, engine.closed_first, age, tuple(losses), engine.aborted)


def _describe_flow(engine: Engine, flow: Flow, age: float) -> FlowEnding:
    end = engine.endpoint(flow.leg)
    kept_now = age - end.kept.since if end.kept else 0.0
    return FlowEnding(end.ended, end.told, flow.received, end.kept_for + kept_now)
