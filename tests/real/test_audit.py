"""Audits of real programs by their recipes: verdicts that are true for the versions named, in forced order.

Each of them held 20 times in a row on a loaded machine (finproxy audit --repeat 20).
"""

from __future__ import annotations

import pytest

from harness.audit.known import choose
from harness.audit.plan import plan_cells
from harness.audit.results import Column, Result
from harness.audit.run import Auditor, Order
from tests.harness.connections import needs_linux
from tests.support.programs import need

pytestmark = needs_linux
LATE = "half-close-request:answer_delay=1"
TORN = "rst-close-delimited"


class Deaf:
    """A listener that does not care."""

    def began(self, what: str) -> None:
        pass

    def ended(self, result: Result | Column) -> None:
        pass


def audited(names: list[str], *only: str) -> dict[str, str]:
    """Cell to the verdict on its behaviour."""
    recipes, _ = choose(names)
    audit = Auditor(Order(recipes, plan_cells(recipes, only), jobs=2), Deaf()).run()
    assert not [column.problem for column in audit.columns if column.problem]
    return {str(result.cell): str(result.behaviour) for result in audit.results}


def test_servers_whose_client_half_closes_a_second_before_the_answer() -> None:
    # nginx 1.22 takes the client's FIN for its departure while it waits for its upstream (status 499); redis
    # 7.0 frees a client that is blocked; uvicorn 0.54 gives the request up. http.server does not look.
    need("nginx", "redis-server")
    assert audited(["nginx", "redis", "uvicorn", "http.server"], f"*/{LATE}") == {
        f"nginx/{LATE}": "fail",
        f"redis/{LATE}": "fail",
        f"uvicorn/{LATE}": "fail",
        f"http.server/{LATE}": "pass",
    }


def test_relays_whose_client_half_closes_a_second_before_the_answer() -> None:
    # socat goes on for 0.5 s after the first end of file, unless -t says more; nginx's stream module closes
    # both ways at once, unless proxy_half_close is on.
    need("nginx", "socat")
    assert audited(["socat", "nginx-stream"], f"*/{LATE}") == {
        f"socat/{LATE}": "fail",
        f"socat-t10/{LATE}": "pass",
        f"nginx-stream/{LATE}": "fail",
        f"nginx-stream-half-close/{LATE}": "pass",
    }


@pytest.mark.parametrize(("client", "verdict"), [("curl", "pass"), ("aiohttp", "fail")])
def test_clients_whose_body_without_a_length_is_torn_by_a_reset(client: str, verdict: str) -> None:
    # aiohttp 3.14 takes what has come by then for the whole body, and reports success.
    if client == "curl":
        need("curl")
    assert audited([client], TORN) == {f"{client}/{TORN}": verdict}
