"""What is told of a scene whose test has failed: sections for people, JSON and SVG files to keep.

This module must not know pytest, nor start or end anything.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import finproxy
from harness.contract import ContractReport
from harness.fixtures import Scene
from harness.holdings import described
from harness.knobs import read_knobs
from harness.program import Program
from harness.proxied import WatchedProxy
from harness.remote.program import RemoteProgram
from harness.scenarios import Outcome

Section = tuple[str, str]
"""Title and text."""


def sections(scene: Scene) -> Iterator[Section]:
    """All that helps to understand a failure."""
    for proxy in scene.proxies:
        yield from _of_proxy(proxy)
    for outcome in scene.outcomes:
        yield from _of_outcome(outcome)
    for program in scene.programs:
        yield f"program {program}", program.condition()
    yield "finproxy: to repeat", _how_to_repeat(scene)


def write_report(scene: Scene, folder: Path, failure: str = "") -> list[Path]:
    """Write what is known as JSON, and each session's diagram as SVG; the files.

    `failure` is what the test runner says of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = _file_name(scene.name)
    files = {f"{stem}-{name}.svg": svg for name, svg in _drawings(scene)}
    files[f"{stem}.json"] = json.dumps({**_as_dict(scene), "failure": failure}, indent=2)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return sorted(folder / name for name in files)


# --- for people -------------------------------------------------------------------------------------


def _of_proxy(proxy: WatchedProxy) -> Iterator[Section]:
    for session in proxy.sessions:
        yield f"finproxy {proxy.url}: session {session.number}", session.draw()
        yield f"finproxy {proxy.url}: journal of session {session.number}", session.journal()
    if not proxy.sessions:
        yield f"finproxy {proxy.url}: journal", proxy.journal()


def _of_outcome(outcome: Outcome) -> Iterator[Section]:
    """The journals alone: a scenario that fails says everything else itself."""
    for session in outcome.evidence.sessions:
        if session.records:
            lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in session.records)
            yield f"{outcome.scenario}: journal of {session.title}", lines


def _how_to_repeat(scene: Scene) -> str:
    rules = [f"  {rule}" for proxy in scene.proxies for rule in proxy.rules]
    rules += [f"  {rule}" for outcome in scene.outcomes for rule in _rules_of(outcome)]
    listed = "\n".join(["rules:", *dict.fromkeys(rules)] if rules else ["rules: none"])
    return f"pytest '{scene.name}' --finproxy-seed={scene.seed}\n{listed}"


def _rules_of(outcome: Outcome) -> Iterator[str]:
    for session in outcome.evidence.sessions:
        yield from session.rules


# --- to keep ----------------------------------------------------------------------------------------


def _drawings(scene: Scene) -> Iterator[tuple[str, str]]:
    """Name and SVG of each session."""
    for index, proxy in enumerate(scene.proxies, 1):
        for session in proxy.sessions:
            yield f"proxy{index}-session{session.number}", session.draw_svg()
    for outcome in scene.outcomes:
        for index, seen in enumerate(outcome.evidence.sessions, 1):
            yield f"{outcome.scenario}-{index}", seen.svg


def _as_dict(scene: Scene) -> dict[str, Any]:
    return {
        "test": scene.name,
        "seed": scene.seed,
        "finproxy": finproxy.__version__,
        "knobs": {knob.name: knob.value for knob in read_knobs()},
        "proxies": [_proxy_as_dict(proxy) for proxy in scene.proxies],
        "programs": [_program_as_dict(program) for program in scene.programs],
        "scenarios": [_without_drawings(outcome.as_dict()) for outcome in scene.outcomes],
        "contracts": [_contract_as_dict(contract) for contract in scene.contracts],
    }


def _program_as_dict(program: Program | RemoteProgram) -> dict[str, Any]:
    if isinstance(program, RemoteProgram):
        return {"command": program.command, "address": list(program.address), "pid": program.pid}
    return {
        "command": program.command,
        "pid": program.pid,
        "code": program.code,
        "sockets": [described(row) for row in program.sockets()],
        "output": program.output,
    }


def _proxy_as_dict(proxy: WatchedProxy) -> dict[str, Any]:
    return {
        "address": list(proxy.address),
        "rules": list(proxy.rules),
        "seed": proxy.seed,
        "records": [record.as_dict() for record in proxy.records],
        "ladders": {
            str(session.number): {
                name: [str(step.after) for step in end.transitions] for name, end in session.ends.items()
            }
            for session in proxy.sessions
        },
    }


def _contract_as_dict(contract: ContractReport) -> dict[str, Any]:
    verdicts = {
        each.item: {"asks": each.asks, "outcome": str(each.outcome), "evidence": each.evidence}
        for each in contract
    }
    return {"subject": contract.subject, "verdicts": verdicts}


def _without_drawings(outcome: dict[str, Any]) -> Mapping[str, Any]:
    """The same without what is in files of its own beside it."""
    for session in outcome["evidence"]["sessions"]:
        del session["svg"], session["text"]
    return outcome


def _file_name(name: str) -> str:
    """A test's id as a file name: what systems do not like in one is replaced."""
    return "".join(char if char.isalnum() or char in "-._" else "_" for char in name)[-150:]
