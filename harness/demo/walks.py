"""What the demo does and what must be seen after each step: Table 154, and three ways to vary it.

Data only; Table 154 gives the states, the sentences are ours. This module must not know how an act is done,
nor how a state is seen.
"""

from dataclasses import dataclass
from enum import Enum

from harness.ladders import TABLE_154, Row
from harness.states import TcpState

S = TcpState


class Verb(Enum):
    """What can be done to an end, or to the FIN that it sent."""

    FINISH = "finish"
    """Its application ends its flow; the FIN segment is kept out."""
    CLOSE = "close"
    """Its application, having read to the end, closes; the FIN segment is kept out."""
    CLOSE_FREELY = "close freely"
    """The same, and nothing is kept out."""
    ANNOUNCE = "announce"
    """The proxy sends the other end a FIN in this end's name, while this end's own is kept out."""
    LET_IN = "let in"
    """The FIN of this end that was kept out is let in, and acknowledged."""
    TALK = "talk"
    """It sends bytes, and the other end reads them."""


@dataclass(frozen=True, slots=True)
class Act:
    """One verb, for the end called `end` ("client" or "server")."""

    verb: Verb
    end: str


@dataclass(frozen=True, slots=True)
class Step:
    """One row: what is done, told in a sentence, and the states in which both ends must be seen then."""

    number: int
    told: str
    client: TcpState
    server: TcpState
    acts: tuple[Act, ...] = ()
    ends_time_wait: bool = False
    """Whether twice the maximum segment lifetime has to pass first."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Steps from ESTABLISHED at both ends to CLOSED at both ends, and the rules they need."""

    title: str
    steps: tuple[Step, ...]
    rules: tuple[str, ...] = ("any.fin -> hold at wire",)


def table_154(*, mirrored: bool = False) -> Walk:
    """Return the table's eight rows, the client (`mirrored`: the server) being the end that closes first."""
    first, second = _ends(mirrored)
    rows = {row.number: row.mirrored() if mirrored else row for row in TABLE_154}
    steps = (
        _opened(),
        _row(rows[1], f"the {first} closes; its FIN is kept out", Act(Verb.FINISH, first)),
        _row(
            rows[2],
            f"a FIN in its name reaches the {second}",
            Act(Verb.ANNOUNCE, first),
        ),
        _row(rows[3], f"the {first}'s FIN is let in", Act(Verb.LET_IN, first)),
        _row(rows[4], f"the {second} closes; its FIN is kept out", Act(Verb.CLOSE, second)),
        _row(
            rows[5],
            f"a FIN in its name reaches the {first}",
            Act(Verb.ANNOUNCE, second),
        ),
        _row(rows[6], f"the {second}'s FIN is let in", Act(Verb.LET_IN, second)),
        _row(rows[7], "its TIME-WAIT is over", waits=True),
        _row(rows[8], "nothing is left of the connection", waits=True),
    )
    return Walk(f"Table 154: the {first} closes first", steps)


def simultaneous() -> Walk:
    """Return the walk on which two FINs cross: each end closes before it has heard of the other's FIN."""
    client, server = Act(Verb.FINISH, "client"), Act(Verb.FINISH, "server")
    steps = (
        _opened(),
        Step(1, "the client closes; its FIN is kept out", S.FIN_WAIT_1, S.ESTABLISHED, (client,)),
        Step(2, "the server closes; its FIN is kept out too", S.FIN_WAIT_1, S.FIN_WAIT_1, (server,)),
        Step(
            3,
            "each gets a FIN, its own not yet let in",
            S.CLOSING,
            S.CLOSING,
            (Act(Verb.ANNOUNCE, "client"), Act(Verb.ANNOUNCE, "server")),
        ),
        Step(
            4,
            "the client's FIN is let in",
            S.TIME_WAIT,
            S.CLOSING,
            (Act(Verb.LET_IN, "client"),),
        ),
        Step(
            5,
            "the server's FIN is let in",
            S.TIME_WAIT,
            S.TIME_WAIT,
            (Act(Verb.LET_IN, "server"),),
        ),
        Step(6, "both TIME-WAITs are over", S.CLOSED, S.CLOSED, ends_time_wait=True),
    )
    return Walk("simultaneous close: both ends close at once", steps)


def half_close(*, mirrored: bool = False) -> Walk:
    """Return the walk on which one end has ended its flow and the other goes on to send for a while."""
    first, second = _ends(mirrored)
    table = table_154(mirrored=mirrored)
    waiting = table.steps[3]
    closed = table.steps[6]
    steps = (
        *table.steps[:4],
        Step(
            4,
            f"the {second} still sends, the {first} reads",
            waiting.client,
            waiting.server,
            (Act(Verb.TALK, second),),
        ),
        Step(
            5,
            f"the {second} closes; nothing is kept out",
            closed.client,
            closed.server,
            (Act(Verb.CLOSE_FREELY, second),),
        ),
        Step(
            6,
            "its TIME-WAIT is over",
            S.CLOSED,
            S.CLOSED,
            ends_time_wait=True,
        ),
    )
    # The other end's FIN is left alone: what keeps it out may keep its last bytes out too.
    return Walk(f"half-close: the {first} ends its flow only", steps, (f"{first}.fin -> hold at wire",))


def _ends(mirrored: bool) -> tuple[str, str]:
    return ("server", "client") if mirrored else ("client", "server")


def _opened() -> Step:
    return Step(0, "the connection is open", S.ESTABLISHED, S.ESTABLISHED)


def _row(row: Row, told: str, *acts: Act, waits: bool = False) -> Step:
    # Mirrored rows have their columns exchanged, so that `client_after` is the client's in either case.
    return Step(row.number, told, row.client_after, row.server_after, acts, waits)
