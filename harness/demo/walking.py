"""Goes down a walk in lock step: one step's acts, then both ends' states as the sources show them, then on.

This module must not know how acts are done (stage.py), what counts as seen (judging.py), or how it is shown.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

from harness.demo.judging import EndSeen, Outcome, Status, seen, together, why_not
from harness.demo.stage import ActFailedError, Stage
from harness.demo.walks import Step, Walk
from harness.errors import StateNotReachedError
from harness.watching.seen import AsyncSeen
from harness.watching.seen_endpoint import AsyncSeenEndpoint

PATIENCE: Final = 3.0
"""Seconds for a state to come. A FIN that the socket filter let in comes with the peer's next attempt."""
TIME_WAIT: Final = 60.0
"""Seconds, fixed: TCP_TIMEWAIT_LEN of include/net/tcp.h."""
_SPARE: Final = 15.0

Waiting = Callable[[Callable[[float], Awaitable[None]], float], Awaitable[None]]
"""Runs what waits out TIME-WAIT, so many seconds at most, and shows people how long it will take."""


async def walk_down(
    walk: Walk, stage: Stage, watched: AsyncSeen, *, stop_after: int | None, waiting: Waiting | None
) -> AsyncIterator[Outcome]:
    """Yield each step's outcome as soon as it is known.

    `stop_after` is the number of the last step to take. `waiting` is how to wait for the end of TIME-WAIT;
    None does not wait for it.
    """
    ends = watched.client, watched.server
    for step in walk.steps:
        if step.ends_time_wait and waiting is None:
            yield _not_waited_for(step)
        else:
            yield await _take(step, stage, ends, waiting)
        if step.number == stop_after:
            return


async def _take(
    step: Step,
    stage: Stage,
    ends: tuple[AsyncSeenEndpoint, AsyncSeenEndpoint],
    waiting: Waiting | None,
) -> Outcome:
    since = time.monotonic() if step.acts else 0.0
    failed = await _act(step, stage)
    if failed or not step.ends_time_wait or waiting is None:
        await _wait_for(step, ends, 0.0 if failed else PATIENCE)
    else:
        await waiting(partial(_wait_for, step, ends), TIME_WAIT + _SPARE)
    client, server = ends
    at = together(step, client, server, since)
    reason = ""
    if at is None:
        found = (why_not(*end) for end in (("client", client, step.client), ("server", server, step.server)))
        reason = failed or "; ".join(filter(None, found)) or "the two states were never there together"
    return Outcome(
        step,
        Status.OBSERVED if at is not None else Status.MISSED,
        seen(client, step.client, at, client.owner),
        seen(server, step.server, at, server.owner),
        (time.monotonic() if at is None else max(at, stage.journal.opened_at)) - stage.journal.opened_at,
        reason,
    )


async def _act(step: Step, stage: Stage) -> str:
    """Do the step's acts; return why one could not be done, or ""."""
    try:
        for act in step.acts:
            await stage.do(act)
    except ActFailedError as error:
        return str(error)
    return ""


async def _wait_for(step: Step, ends: tuple[AsyncSeenEndpoint, AsyncSeenEndpoint], within: float) -> None:
    """Wait until each end has been in its state; what is really so, is judged from the transitions."""
    deadline = time.monotonic() + within
    for end, state in zip(ends, (step.client, step.server), strict=True):
        try:
            if end.state is not None or step.number == 0:
                await end.wait_for(state, within=max(0.0, deadline - time.monotonic()))
        except StateNotReachedError:
            continue


def _not_waited_for(step: Step) -> Outcome:
    why = f"TIME-WAIT lasts {TIME_WAIT:g} s; --wait-2msl waits for it"
    unseen = EndSeen(step.client, None), EndSeen(step.server, None)
    return Outcome(step, Status.NOT_WAITED_FOR, *unseen, at=None, reason=why)
