"""What the service `tests` of compose.yaml runs: a server is shut down in the middle of a session."""

import os
from pathlib import Path
from typing import Any

REPORT = Path(os.environ.get("REPORT", "/report"))


def test_the_server_is_shut_down_while_its_fin_is_held(launch: Any, fin_proxy: Any) -> None:
    """SIGTERM, and the client does not hear of it until the FIN is released; both ends then close cleanly."""
    app = launch("uvicorn", "app:app", "--port", "{port}")
    proxy = fin_proxy(app, "server.fin -> hold", listen=9000)
    session = proxy.session  # the client container's
    session.client.wait_for("ESTABLISHED")
    app.terminate()
    session.wait_for("fin.held", "server")
    session.server.wait_for("FIN-WAIT-2")
    assert session.client.state == "ESTABLISHED"
    app.exits(within=10)
    session.release("server")
    session.server.wait_for("TIME-WAIT")
    session.closed()
    session.server.check("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT")
    session.client.check("ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED")
    (REPORT / "shutdown.txt").write_text(session.draw(), encoding="utf-8")
    (REPORT / "shutdown.svg").write_text(session.draw_svg(), encoding="utf-8")


def test_a_second_session_after_the_restart(launch: Any, fin_proxy: Any) -> None:
    """The server has been started again: the client is back, and is let go by a reset."""
    proxy = fin_proxy(launch("uvicorn", "app:app", "--port", "{port}"), listen=9000)
    session = proxy.session
    proxy.act("server", "reset")
    session.closed()
    session.client.wait_for("CLOSED")
