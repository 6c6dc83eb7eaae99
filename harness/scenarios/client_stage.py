"""What plays with a client work with: a scripted server, a proxy before it, and the client's run.

This module must not know any scenario.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.background import Background
from harness.driving import HasAddress
from harness.program import Exit, Program, StillRunningError
from harness.scenarios.messages import HALF, ONE, http_answer
from harness.scenarios.scenario import Scenario
from harness.scenarios.stage import Stage
from harness.scenarios.subjects import ClientSubject
from harness.scripted import Peer, ScriptedServer

Script = Callable[[Peer], None]


@dataclass(frozen=True)
class Seen:
    """What was seen of a client: how it ended (None: it did not), what it printed, what it asked for."""

    ended: Exit | None
    output: str
    requests: list[tuple[int, str]]

    @property
    def reported_error(self) -> bool:
        """Whether it came back and reported an error."""
        return self.ended is not None and self.ended.code != 0

    @property
    def reported_success(self) -> bool:
        """Whether it came back and reported success."""
        return self.ended is not None and self.ended.code == 0

    @property
    def answers(self) -> int:
        """How many of the short answers it printed."""
        return self.output.count(ONE.decode())

    def told(self) -> str:
        """What it did, in words."""
        how = "did not come back" if self.ended is None else f"exited with code {self.ended.code}"
        asked = f"{len(self.requests)} request{'' if len(self.requests) == 1 else 's'}"
        return f"it {how} after {asked}"


class ClientStage(Stage):
    """One play with a client. The runner is the server."""

    def __init__(
        self,
        scenario: Scenario,
        parameters: Mapping[str, float],
        background: Background,
        subject: ClientSubject,
    ) -> None:
        super().__init__(scenario, parameters, background, subject.patience)
        self.subject = subject

    def serve(self, script: Script) -> ScriptedServer:
        """A server each of whose connections does what `script` says."""
        server = ScriptedServer(script)
        return self.keep(server, server.close)

    def start(self, at: HasAddress, times: int = 2) -> Program:
        """Start the client; it asks whoever is `at` this address.

        Raises:
            StartError: there is no such command.

        """
        host, port = at.address
        command = self.subject.arguments(f"http://{host}:{port}/", times)
        client = Program(*command, grace=0.5, **self.subject.settings)
        self.program = self.keep(client, client.stop)
        return client

    def watch(self, client: Program, requests: list[tuple[int, str]]) -> Seen:
        """Wait until the client comes back."""
        try:
            ended = client.exits(within=self.patience)
        except StillRunningError:
            ended = None
        seen = Seen(ended, client.output, requests)
        self.fact(seen.told())
        for number, line in requests:
            self.fact(f"request on connection {number}: {line}")
        return seen

    def run(self, script: Script, times: int = 2) -> Seen:
        """Let the client ask such a server through a proxy with the scenario's rules."""
        server = self.serve(script)
        proxy = self.open_proxy(server, half=HALF, first=len(http_answer(ONE)))
        return self.watch(self.start(proxy, times), server.requests)
