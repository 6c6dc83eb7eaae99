"""Runs scenarios on subjects: for pytest, for an audit, for scripts.

This module must not know what any scenario does.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial

from finproxy import WireError
from harness.background import Background
from harness.errors import CheckFailedError, SourceUnavailableError
from harness.scenarios.catalogue import find_scenario
from harness.scenarios.client_stage import ClientStage
from harness.scenarios.outcome import Evidence, Outcome
from harness.scenarios.plays.registry import PLAYS, Play
from harness.scenarios.relay_stage import RelayStage
from harness.scenarios.scenario import CLIENT, RELAY, SERVER
from harness.scenarios.server_stage import ServerStage
from harness.scenarios.stage import Found, Stage
from harness.scenarios.subjects import Subject
from harness.scenarios.verdicts import (
    Judgement,
    NotApplicableError,
    NotObservedError,
    WrongCloseError,
    failed,
    not_applicable,
    not_observed,
)
from harness.starting import StartError

_STAGES: Mapping[str, Callable[..., Stage]] = {SERVER: ServerStage, CLIENT: ClientStage, RELAY: RelayStage}


_NOT_THAT_FAR = not_observed("the play did not get that far")


def run_scenario(name: str, subject: Subject, background: Background, **parameters: float) -> Outcome:
    """Play one scenario with a subject, and judge it. Whatever the subject does becomes an outcome.

    `parameters` are numbers that the scenario has defaults for.

    Raises:
        UsageError: there is no such scenario, or it has no such parameter.

    """
    scenario = find_scenario(name)
    settled = scenario.settled(parameters)
    outcome = partial(Outcome, name, subject.kind, settled)
    if subject.kind not in scenario.subjects:
        told = f"it tries a {' or a '.join(scenario.subjects)}, not a {subject.kind}"
        return outcome(*_both(not_applicable(told)), evidence=Evidence(), seconds=0.0)
    began = time.monotonic()
    with _STAGES[subject.kind](scenario, settled, background, subject) as stage:
        found = _judged(PLAYS[subject.kind][name], stage)
        evidence = stage.evidence()
    return outcome(found.behaviour, found.close, evidence=evidence, seconds=time.monotonic() - began)


def _judged(play: Play, stage: Stage) -> Found:
    """Play it; whatever the subject or the machine does wrong becomes a judgement."""
    try:
        found = play(stage)
    except NotApplicableError as why:
        found = _both(not_applicable(str(why)))
    except (NotObservedError, WireError, SourceUnavailableError) as why:
        found = _both(not_observed(str(why)))
    except WrongCloseError as why:
        found = Found(_NOT_THAT_FAR, failed(str(why)))
    except StartError as why:
        stage.fact(str(why))
        return _spoilt(f"it did not start: {_first_line(why)}")
    except (CheckFailedError, OSError) as why:
        stage.fact(str(why))
        found = _spoilt(_first_line(why))
    died = stage.died()
    return Found(failed(died), found.close) if died else found


def _spoilt(why: str) -> Found:
    return Found(failed(why), _NOT_THAT_FAR)


def _both(judgement: Judgement) -> Found:
    return Found(judgement, judgement)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
