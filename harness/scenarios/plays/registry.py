"""Which function plays which scenario, by the subject's kind. This module holds no logic."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from harness.scenarios.plays import (
    client_cut,
    client_reuse,
    relay_closes,
    relay_cut,
    relay_half_close,
    server_closes,
    server_half_close,
    server_sigterm,
)
from harness.scenarios.scenario import CLIENT, RELAY, SERVER
from harness.scenarios.stage import Found

Play = Callable[[Any], Found]
"""Takes the stage of its kind of subject."""

PLAYS: Final[Mapping[str, Mapping[str, Play]]] = {
    SERVER: {
        "clean-client-close": server_closes.clean_client_close,
        "clean-server-close": server_closes.clean_server_close,
        "data-after-fin": server_closes.data_after_fin,
        "time-wait-side": server_closes.time_wait_side,
        "fin-never-comes": server_closes.fin_never_comes,
        "half-close-request": server_half_close.half_close_request,
        "half-close-swallowed": server_half_close.half_close_swallowed,
        "idle-peer-at-sigterm": server_sigterm.idle_peer,
        "unused-connection-at-sigterm": server_sigterm.unused_connection,
        "inflight-at-sigterm": server_sigterm.inflight,
        "backlog-at-sigterm": server_sigterm.backlog,
        "request-after-sigterm": server_sigterm.request_after,
    },
    CLIENT: {
        "fin-mid-body": client_cut.cut_body,
        "rst-mid-response": client_cut.cut_body,
        "rst-close-delimited": client_cut.cut_body,
        "rst-after-full-response": client_cut.reset_after_body,
        "sigkill-peer": client_cut.sigkill_peer,
        "fin-right-after-response": client_reuse.fin_right_after_response,
        "fin-crosses-request": client_reuse.fin_crosses_request,
    },
    RELAY: {
        "clean-client-close": relay_closes.clean_client_close,
        "clean-server-close": relay_closes.clean_server_close,
        "data-after-fin": relay_closes.data_after_fin,
        "half-close-request": relay_half_close.half_close_request,
        "fin-mid-body": relay_cut.fin_mid_body,
        "rst-mid-response": relay_cut.rst_mid_response,
        "rst-close-delimited": relay_cut.rst_mid_response,
        "rst-after-full-response": relay_cut.rst_after_full_response,
    },
}
