"""Which function plays which scenario, by the subject's kind. This module holds no logic."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from harness.scenarios.plays import (
    client_cut,
    client_half_close,
    client_leaks,
    client_reuse,
    relay_closes,
    relay_cut,
    relay_half_close,
    relay_leaks,
    server_closes,
    server_early,
    server_half_close,
    server_held,
    server_leaks,
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
        "fin-never-comes": server_leaks.fin_never_comes,
        "close-wait-budget": server_leaks.close_wait_budget,
        "fin-delayed-idle": server_leaks.fin_delayed_idle,
        "early-response-unread-body": server_early.early_response_unread_body,
        "half-close-request": server_half_close.half_close_request,
        "half-close-response": server_half_close.half_close_response,
        "half-close-swallowed": server_half_close.half_close_swallowed,
        "idle-peer-at-sigterm": server_sigterm.idle_peer,
        "unused-connection-at-sigterm": server_sigterm.unused_connection,
        "inflight-at-sigterm": server_sigterm.inflight,
        "backlog-at-sigterm": server_sigterm.backlog,
        "request-after-sigterm": server_sigterm.request_after,
        "stuck-fin-wait1": server_held.stuck_fin_wait1,
        "stuck-last-ack": server_held.stuck_last_ack,
        "simultaneous-close": server_held.simultaneous_close,
        "lost-fin": server_held.lost_fin,
        "lost-last-ack": server_held.lost_last_ack,
    },
    CLIENT: {
        "fin-mid-body": client_cut.cut_body,
        "rst-mid-response": client_cut.cut_body,
        "rst-close-delimited": client_cut.cut_body,
        "rst-after-full-response": client_cut.reset_after_body,
        "sigkill-peer": client_cut.sigkill_peer,
        "fin-right-after-response": client_reuse.fin_right_after_response,
        "fin-crosses-request": client_reuse.fin_crosses_request,
        "fin-delayed-idle": client_reuse.fin_delayed_idle,
        "request-delivered-then-fin": client_reuse.request_delivered_then_fin,
        "reset-on-next-packet": client_reuse.reset_on_next_packet,
        "blackhole-after-idle": client_reuse.blackhole_after_idle,
        "half-close-as-abort": client_half_close.half_close_as_abort,
        "close-wait-budget": client_leaks.close_wait_budget,
    },
    RELAY: {
        "clean-client-close": relay_closes.clean_client_close,
        "clean-server-close": relay_closes.clean_server_close,
        "data-after-fin": relay_closes.data_after_fin,
        "half-close-request": relay_half_close.half_close_request,
        "half-close-response": relay_half_close.half_close_response,
        "close-wait-budget": relay_leaks.close_wait_budget,
        "stuck-fin-wait1": relay_leaks.stuck_fin_wait1,
        "early-response-unread-body": relay_cut.early_response_unread_body,
        "fin-mid-body": relay_cut.fin_mid_body,
        "rst-mid-response": relay_cut.rst_mid_response,
        "rst-close-delimited": relay_cut.rst_mid_response,
        "rst-after-full-response": relay_cut.rst_after_full_response,
    },
}
