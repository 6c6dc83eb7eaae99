"""How long the watcher may rest between two looks at the table: a pure function of what a look costs.

Watching must not disturb what it watches, so an idle watch spends at most one percent of a core; somebody
who waits for a state gets up to half a core instead. This module must not know what is looked at.
"""

IDLE_SHARE = 0.01
_SHORTEST_IDLE = 0.01
_SHORTEST_URGENT = 0.001
# With the tracepoint the table is only asked for what events cannot tell: that TIME-WAIT is over.
_SHORTEST_WITH_EVENTS = 0.5


def pause(cost: float, *, urgent: bool, has_events: bool, idle_share: float = IDLE_SHARE) -> float:
    """Return the seconds to rest after a look that took `cost` seconds of the processor.

    `urgent`: somebody waits, or something moved a moment ago. `has_events`: transitions are announced, the
    table only completes them. `idle_share` is how much of a core may be spent while nobody waits.
    """
    if has_events:
        return max(_SHORTEST_WITH_EVENTS, cost / idle_share)
    if urgent:
        return max(_SHORTEST_URGENT, cost)
    return max(_SHORTEST_IDLE, cost / idle_share)
