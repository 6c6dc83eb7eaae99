"""The example of compose.yaml as users start it, and on bad days."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from .conftest import ROOT, Project, docker, until_healthy


def test_the_one_command_succeeds_and_reports_the_ladder_of_a_server_shut_down(
    project: Project, tmp_path: Path
) -> None:
    project.run("up", "--no-build", "--exit-code-from", "tests")
    project.run("cp", "tests:/report", str(tmp_path))

    ladder = (tmp_path / "report" / "shutdown.txt").read_text()
    for column in ("client", "client leg", "server leg", "server"):
        assert column in ladder.splitlines()[1]
    for seen in ("ESTABLISHED", "fin.held server", "FIN-WAIT-2", "fin.released server", "TIME-WAIT"):
        assert seen in ladder
    assert 'failures="0"' in (tmp_path / "report" / "junit.xml").read_text()
    assert (tmp_path / "report" / "shutdown.svg").read_text().startswith("<svg")


def test_a_test_that_fails_is_the_commands_exit_code(project: Project) -> None:
    done = project.run("run", "--rm", "--no-deps", "tests", "--finproxy-agent=nonsense", check=False)

    assert done.returncode == 1
    assert "expected NAME=URL" in done.stdout


def test_without_net_admin_the_doctor_says_that_the_wire_cannot_be_used(images: None) -> None:
    plain, admin, none = map(_doctor, ("--cap-add=CHOWN", "--cap-add=NET_ADMIN", "--cap-drop=ALL"))

    assert "--  wire: socket-filter" in plain
    assert "docker run --cap-add NET_ADMIN" in plain
    assert "ok  sock_diag" in plain
    assert "ok  wire: socket-filter" in admin
    assert "only root may" in admin  # nfqueue
    assert "--  wire: socket-filter" in none


def _doctor(capability: str) -> str:
    return docker("run", "--rm", capability, "finproxy", "doctor")


FETCH = """
import urllib.request
print(urllib.request.urlopen("http://{host}:9000/").read().decode())
"""


def test_the_image_relays_as_the_command_does(project: Project) -> None:
    project.run("up", "--no-build", "--detach", "--wait", "server", "finproxy")
    command = ["finproxy", "run", "9000", "server:8000", "--rule", "server.fin -> delay 1ms"]
    relay = docker("run", "--rm", "--detach", "--network", f"{project.name}_default", *command).strip()
    try:
        until_healthy(relay)
        assert project.python("finproxy", FETCH.format(host=relay[:12])) == "hello"
    finally:
        docker("rm", "--force", relay)


def test_ctrl_c_ends_the_command(project: Project) -> None:
    """In the middle of starting up; that nothing is left after `down` is asserted of each project."""
    command = [*project.command, "up", "--no-build", "--exit-code-from", "tests"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "API:" in line:
                process.send_signal(signal.SIGINT)

    assert process.returncode == 130, said


def test_the_proxy_is_not_root(project: Project) -> None:
    project.run("up", "--no-build", "--detach", "--wait", "finproxy")

    uids = project.run("exec", "-T", "finproxy", "sh", "-c", "cat /proc/[0-9]*/status").stdout
    assert "\nName:\tfinproxy" in f"\n{uids}"
    blocks = uids.split("Name:\t")[1:]
    assert {block.split("Uid:\t")[1].split()[0] for block in blocks if block.startswith("finproxy")} == {
        "1000"
    }


STATES = """
import json, urllib.request
with urllib.request.urlopen("http://server:8475/v1/rows?port=8000") as rows:
    print(json.dumps(sorted({row["state"] for row in json.load(rows)["rows"]})))
"""

HOLD = """
import json, urllib.request
body = {"name": "web", "listen": "0.0.0.0:9000", "upstream": "server:8000", "rules": ["server.fin -> hold"]}
request = urllib.request.Request("http://finproxy:8474/v1/proxies", json.dumps(body).encode())
urllib.request.urlopen(request).read()
"""

RELEASE = """
import urllib.request as http
http.urlopen(http.Request("http://finproxy:8474/v1/proxies/web/release", b""))
"""

AWAIT = """
import json, urllib.request
with urllib.request.urlopen("http://finproxy:8474/v1/records/stream?after=0&event={event}") as records:
    while not records.readline().startswith(b"data:"):
        pass
"""


def test_a_stopped_servers_states_are_seen_until_they_are_gone(project: Project) -> None:
    """Its container is stopped with SIGTERM while its FIN is held: its sockets outlive it."""
    project.run("up", "--no-build", "--detach", "--wait", "finproxy", "server", "server-states", "client")
    project.python("finproxy", HOLD)
    project.python("finproxy", AWAIT.format(event="session.opened"))
    project.run("stop", "server")
    project.python("finproxy", AWAIT.format(event="fin.held"))

    assert json.loads(project.python("finproxy", STATES)) == ["FIN-WAIT-2"]
    project.python("finproxy", RELEASE)
    project.python("finproxy", AWAIT.format(event="session.closed"))
    assert json.loads(project.python("finproxy", STATES)) == ["TIME-WAIT"]


def test_an_agent_that_dies_is_told_from_a_closed_connection(project: Project) -> None:
    project.run("up", "--no-build", "--detach", "--wait", "finproxy", "server", "server-states", "client")
    project.python("finproxy", HOLD)
    project.python("finproxy", AWAIT.format(event="session.opened"))
    watching = """
import harness, json, sys, urllib.request
with urllib.request.urlopen("http://finproxy:8474/v1/sessions") as sessions:
    one = json.load(sessions)["sessions"][0]
agents = {"server": "http://server:8475"}
with harness.watch((tuple(one["server"]), tuple(one["local"])), agents=agents) as seen:
    seen.client.wait_for("ESTABLISHED", within=20)
    print("watching", flush=True)
    seen.wait_until(lambda: any("has been gone" in note for note in seen.notes) or None, within=60)
    print(seen.client.state)
"""
    command = [*project.command, "exec", "-T", "finproxy", "python", "-c", watching]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "watching"
        project.run("kill", "server-states")
        assert process.stdout.readline().strip() == "ESTABLISHED"
