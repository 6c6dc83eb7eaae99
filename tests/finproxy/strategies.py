"""Hypothesis strategies that the tests of several modules share."""

from __future__ import annotations

from hypothesis import strategies as st

from finproxy import rules
from finproxy.legs import Leg
from finproxy.rules import Action, Rule, Trigger

legs = st.sampled_from(Leg)

# The notation's finest unit is the microsecond: finer durations exist as values, but not as text.
durations = st.integers(0, 3_600_000_000_000).map(lambda microseconds: microseconds / 1_000_000)
some_time = st.integers(1, 3_600_000_000_000).map(lambda microseconds: microseconds / 1_000_000)
counts = st.integers(1, 2**45)

endings: st.SearchStrategy[Trigger] = st.sampled_from([rules.Fin(), rules.Reset()])
moments: st.SearchStrategy[Trigger] = st.one_of(
    st.just(rules.Connect()),
    counts.map(rules.Bytes),
    durations.map(rules.After),
    some_time.map(rules.Idle),
)
triggers = endings | moments

plain_actions: st.SearchStrategy[Action] = st.sampled_from(
    [
        rules.Relay(),
        rules.Drop(),
        rules.Reorder(),
        rules.Simultaneous(),
        rules.SendFin(),
        rules.SendReset(),
        rules.FullClose(),
        rules.Blackhole(),
    ]
)
timed_actions: st.SearchStrategy[Action] = st.one_of(
    st.builds(rules.Delay, durations, durations),
    (st.none() | durations).map(rules.Hold),
)
relay_actions = plain_actions | timed_actions | counts.map(rules.Truncate)
"""Every action that can act at the relay."""

wire_actions: st.SearchStrategy[Action] = st.one_of(
    timed_actions,
    st.sampled_from([rules.Drop(), rules.Reorder(), rules.Simultaneous()]),
    some_time.map(rules.Overtake),
)

any_leg = st.none() | legs
probabilities = st.just(1.0) | st.floats(0, 1, exclude_min=True)

relay_rules = st.builds(Rule, any_leg, triggers, relay_actions, st.just(False), probabilities)
wire_rules = st.builds(Rule, any_leg, st.just(rules.Fin()), wire_actions, st.just(True), probabilities)
all_rules = relay_rules | wire_rules
