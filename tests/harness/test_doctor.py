import json

from harness import doctor
from harness.doctor import Found, run_doctor
from tests.harness.connections import needs_linux

pytestmark = needs_linux


def run(*extra: doctor.Probe, as_json: bool = False) -> tuple[int, str]:
    lines: list[str] = []
    return run_doctor(extra, as_json=as_json, out=lines.append), "\n".join(lines)


def test_each_table_source_is_proved_on_a_real_connection() -> None:
    code, text = run()
    assert code == 0
    for name in ("sock_diag", "procfs", "psutil"):
        (line,) = [line for line in text.splitlines() if line.startswith(f"ok  {name:<24} ")]
        assert "blind to states shorter than the time between two looks" in text
        assert "saw FIN-WAIT-2 and CLOSE-WAIT of a real half-close" in line
    assert "net.ipv4.tcp_fin_timeout" in text


def test_probes_of_other_parts_are_run_and_shown() -> None:
    failing = Found(ok=False, why="no CAP_NET_ADMIN", what_to_do="run as root")
    _, text = run(("socket filter", lambda: failing))
    assert "--  socket filter            no CAP_NET_ADMIN" in text
    assert "run as root" in text


def test_a_probe_that_breaks_is_a_result_and_does_not_stop_the_others() -> None:
    def broken() -> Found:
        raise ZeroDivisionError("by zero")

    code, text = run(("broken", broken), ("fine", lambda: Found(ok=True, why="works")))
    assert "--  broken                   the probe itself failed: ZeroDivisionError: by zero" in text
    assert "ok  fine                     works" in text
    assert code == 0


def test_json_has_the_same_content() -> None:
    _, text = run(("extra", lambda: Found(ok=True, why="works")), as_json=True)
    told = json.loads(text)
    assert {"name": "extra", "ok": True, "why": "works", "what_to_do": ""} in told["probes"]
    assert {"sock_diag", "tracepoint", "owners"} <= {probe["name"] for probe in told["probes"]}
    assert any(knob["name"] == "net.ipv4.tcp_tw_reuse" for knob in told["knobs"])


def test_a_source_that_cannot_work_says_why() -> None:
    found = doctor.probe_source("sock_diag", host="192.0.2.1")  # TEST-NET-1: no address of ours
    assert not found.ok
    assert "expected a connection on 192.0.2.1, found" in found.why
