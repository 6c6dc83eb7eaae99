"""`harness.watch` on real connections: every source alone, every address family, both forms."""

import socket
import threading
from collections.abc import Iterable

import pytest
import trio

import harness
from harness import ladders
from harness.errors import (
    LadderMismatch,
    NotSettledError,
    SourceUnavailableError,
    StateNotReachedError,
    UsageError,
)
from harness.rows import Endpoint, Snapshot
from harness.sources.sock_diag import SockDiag
from harness.states import TcpState as S
from harness.watching.seen import Seen
from tests.harness.connections import (
    SOURCES,
    TABLES,
    Pair,
    abort,
    connected,
    needs_linux,
    needs_root,
    needs_tracefs,
)
from tests.harness.namespaces import Namespace

pytestmark = needs_linux


def close_from_client(pair: Pair, seen: Seen) -> None:
    """Close in lock step: nothing goes on before both ends show what has been done."""
    pair.client.shutdown(socket.SHUT_WR)
    seen.client.wait_for("FIN-WAIT-2", within=5)
    seen.server.wait_for("CLOSE-WAIT", within=5)
    pair.server.close()
    seen.client.wait_for("TIME-WAIT", within=5)
    seen.server.wait_for("CLOSED", within=5)


@pytest.mark.parametrize("source", [None, *SOURCES])
def test_a_close_in_lock_step_is_seen_by_every_source_alone(source: str | None) -> None:
    with connected() as pair, harness.watch(pair.endpoint, pair.peer, source=source) as seen:
        close_from_client(pair, seen)
    seen.check(ladders.CLIENT_CLOSES_FIRST)


@pytest.mark.parametrize("source", [None, *SOURCES])
def test_the_wrong_ladder_is_refused_by_every_source_alone(source: str | None) -> None:
    with connected() as pair, harness.watch(pair.endpoint, pair.peer, source=source) as seen:
        close_from_client(pair, seen)
    with pytest.raises(
        LadderMismatch, match="missing rung: expected CLOSE-WAIT after ESTABLISHED, found FIN-WAIT-1"
    ):
        seen.check(ladders.SERVER_CLOSES_FIRST)


@pytest.mark.parametrize("source", [None, "psutil"])
@pytest.mark.parametrize(
    ("host", "listens_dual"), [("::1", False), ("127.0.0.1", True)], ids=["v6", "mapped"]
)
def test_ipv6_and_v4_mapped_endpoints_are_watched_alike(
    host: str, listens_dual: bool, source: str | None
) -> None:
    with (
        connected(host, listens_dual=listens_dual) as pair,
        harness.watch(pair.endpoint, pair.peer, source=source) as seen,
    ):
        close_from_client(pair, seen)
    seen.check(ladders.CLIENT_CLOSES_FIRST)


async def test_the_async_form_has_the_same_words() -> None:
    with connected() as pair:
        async with harness.watch(pair.endpoint, pair.peer) as seen:
            pair.server.shutdown(socket.SHUT_WR)
            step = await seen.server.wait_for("FIN-WAIT-2", within=5)
            await seen.client.wait_for(S.CLOSE_WAIT, within=5)
            pair.client.close()
            await seen.settled(within=5, quiet=0.02)
    assert step.after is S.FIN_WAIT_2
    seen.check(ladders.SERVER_CLOSES_FIRST)


async def test_waiting_does_not_block_other_tasks() -> None:
    with connected() as pair:
        async with harness.watch(pair.endpoint) as seen, trio.open_nursery() as nursery:

            async def close_later() -> None:
                await trio.lowlevel.checkpoint()
                pair.server.close()

            nursery.start_soon(close_later)
            await seen.client.wait_for("CLOSE-WAIT", within=5)


async def test_a_cancelled_body_still_ends_the_watch() -> None:
    before = threading.active_count()
    with connected() as pair, trio.move_on_after(0.05):
        async with harness.watch(pair.endpoint):
            await trio.sleep_forever()
    assert all(thread.name != "harness watcher" for thread in threading.enumerate())
    assert threading.active_count() <= before + 2  # Trio keeps an idle worker thread or two


@needs_tracefs
def test_with_the_tracepoint_every_rung_is_observed_exactly() -> None:
    with connected() as pair, harness.watch(pair.endpoint, pair.peer) as seen:
        pair.client.shutdown(socket.SHUT_WR)
        pair.server.recv(1)
        pair.server.close()
        seen.client.wait_for("TIME-WAIT", within=5)
    seen.client.check("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT", strict=True)
    seen.server.check("ESTABLISHED > CLOSE-WAIT > LAST-ACK > CLOSED", strict=True)


@needs_tracefs
@pytest.mark.parametrize("by", ["client", "server"])
def test_with_the_tracepoint_an_abort_is_told_from_a_reset(by: str) -> None:
    right, wrong = ladders.CLIENT_ABORTS, ladders.SERVER_ABORTS
    if by == "server":
        right, wrong = wrong, right
    with connected() as pair, harness.watch(pair.endpoint, pair.peer) as seen:
        abort(pair.client if by == "client" else pair.server)
        seen.client.wait_for("CLOSED", within=5)
        seen.server.wait_for("CLOSED", within=5)
        seen.settled(within=5, quiet=0.02)
    seen.check(right)
    with pytest.raises(LadderMismatch, match=r"CLOSED by a reset that this end (sent|received), found reset"):
        seen.check(wrong)


@needs_tracefs
def test_an_orphan_is_followed_from_fin_wait_2_to_time_wait() -> None:
    with connected() as pair, harness.watch(pair.endpoint, pair.peer) as seen:
        pair.client.close()
        seen.client.wait_for("FIN-WAIT-2", within=5)
        pair.server.close()
        seen.client.wait_for("TIME-WAIT", within=5)
    seen.check(ladders.CLIENT_CLOSES_FIRST)


def test_the_owner_is_known_and_remembered() -> None:
    with connected() as pair, harness.watch(pair.endpoint, pair.peer) as seen:
        close_from_client(pair, seen)
    owner = seen.client.owner
    assert owner is not None
    assert f"{owner}" in seen.client.draw()
    assert seen.client.transitions[-1].owner == owner


def test_a_state_that_was_passed_already_is_there_at_once() -> None:
    with connected() as pair, harness.watch(pair.endpoint, pair.peer, source="sock_diag") as seen:
        close_from_client(pair, seen)
        assert seen.client.wait_for("FIN-WAIT-1", within=0).after is S.FIN_WAIT_1


def test_a_state_that_does_not_come_fails_with_the_ladder_so_far() -> None:
    with connected() as pair, harness.watch(pair.endpoint, source="sock_diag") as seen:
        pair.server.shutdown(socket.SHUT_WR)
        seen.client.wait_for("CLOSE-WAIT", within=5)
        with pytest.raises(
            StateNotReachedError, match=r"expected LAST-ACK within 0\.01 s, found CLOSE-WAIT"
        ) as caught:
            seen.client.wait_for("LAST-ACK", within=0.01)
    assert isinstance(caught.value, AssertionError)
    assert "ESTABLISHED" in str(caught.value)


def test_a_state_that_can_no_longer_come_fails_at_once() -> None:
    with connected() as pair, harness.watch(pair.endpoint, source="sock_diag") as seen:
        abort(pair.client)
        seen.client.wait_for("CLOSED", within=5)
        with pytest.raises(StateNotReachedError, match="FIN-WAIT-1 can no longer be reached from CLOSED"):
            seen.client.wait_for("FIN-WAIT-1", within=3600)


@pytest.mark.parametrize("source", TABLES)
def test_an_endpoint_that_nobody_has_is_not_called_closed(source: str) -> None:
    with connected() as pair:
        nobody = Endpoint.of((pair.endpoint.local, pair.endpoint.local))
        with harness.watch(nobody, source=source) as seen:
            with pytest.raises(StateNotReachedError, match=r"no row of .* was ever seen"):
                seen.client.wait_for("CLOSED", within=0.01)
            with pytest.raises(LadderMismatch, match="no row of this endpoint was ever seen"):
                seen.client.check("ESTABLISHED > CLOSED")
    assert seen.client.state is None


def test_settled_fails_while_something_moves() -> None:
    with connected() as pair, harness.watch(pair.endpoint, source="sock_diag") as seen:
        seen.settled(within=5, quiet=0.02)
        with pytest.raises(NotSettledError, match="expected no endpoint to move any more"):
            seen.settled(within=0.01, quiet=60)


def test_several_connections_are_watched_at_once_and_more_can_be_added() -> None:
    with connected() as first, connected() as second, harness.watch(first.endpoint) as seen:
        (added,) = seen.add(second.endpoint, names=["second"])
        first.server.close()
        seen.client.wait_for("CLOSE-WAIT", within=5)
        assert (added.name, added.state) == ("second", S.ESTABLISHED)
        assert [end.endpoint for end in seen.endpoints] == [first.endpoint, second.endpoint]


@pytest.mark.parametrize("source", [None, "sock_diag"])
def test_connections_of_a_port_are_found_as_they_appear(source: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with harness.watch(ports=[port], source=source) as seen:
            # Old TIME-WAIT rows may have this port number too.
            old = len(seen.endpoints)
            with socket.create_connection(("127.0.0.1", port)) as client:
                server, address = listener.accept()
                both = seen.wait_until(
                    lambda: seen.endpoints[old:] if len(seen.endpoints) == old + 2 else None, within=5
                )
                assert {end.endpoint.local.port for end in both} == {port, address[1]}
                server.close()
                assert client.recv(1) == b""


@pytest.mark.parametrize("source", [None, "sock_diag"])
def test_an_endpoint_that_was_forgotten_does_not_come_back_as_its_own_time_wait(source: str | None) -> None:
    with connected() as pair, harness.watch(ports=[pair.endpoint.remote.port], source=source) as seen:
        (client,) = [end for end in seen.endpoints if end.endpoint == pair.endpoint]
        pair.client.shutdown(socket.SHUT_WR)
        pair.server.close()
        client.wait_for("TIME-WAIT", within=5)
        seen.forget(client)
        seen.settled(within=5, quiet=0.02)
        assert pair.endpoint not in {end.endpoint for end in seen.endpoints}
    client.check(ladders.ACTIVE_CLOSE)


def test_a_watch_of_one_endpoint_has_no_server() -> None:
    with (
        connected() as pair,
        harness.watch(pair.endpoint, source="sock_diag") as seen,
        pytest.raises(UsageError, match="expected a server as endpoint 2, found 1 endpoints"),
    ):
        seen.server.draw()


def test_what_is_no_endpoint_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(UsageError, match="expected an endpoint"):
        harness.watch("127.0.0.1:80")  # type: ignore[arg-type]


@needs_root
def test_another_network_namespace_is_watched_through_a_pid_in_it(network_namespace: Namespace) -> None:
    endpoint = network_namespace.endpoint
    with harness.watch(endpoint, endpoint.peer, pid=network_namespace.pid) as seen:
        assert seen.client.state is S.ESTABLISHED
        assert any("tracepoint: not used, it cannot tell namespaces apart" in note for note in seen.notes)
        network_namespace.shut_down_client()
        seen.server.wait_for("CLOSE-WAIT", within=5)
    assert seen.server.row is not None
    assert seen.server.row.source == "procfs"


@needs_root
def test_from_our_namespace_another_one_looks_empty_and_that_is_said(network_namespace: Namespace) -> None:
    with (
        harness.watch(network_namespace.endpoint, source="sock_diag") as seen,
        pytest.raises(StateNotReachedError, match="or in another network namespace"),
    ):
        seen.client.wait_for("ESTABLISHED", within=0.01)


class FailingTable(SockDiag):
    """A source that works until it is told to fail, like an agent whose container is stopped."""

    fails = False

    def look(self, endpoints: Iterable[Endpoint]) -> Snapshot:
        if self.fails:
            raise SourceUnavailableError("elsewhere: expected an answer, found none; start the agent again")
        return super().look(endpoints)


def test_a_source_that_dies_is_reported_and_nothing_is_called_closed() -> None:
    source = FailingTable()
    with connected() as pair, harness.watch(pair.endpoint, source=source) as seen:
        source.fails = True
        with pytest.raises(SourceUnavailableError, match="expected an answer, found none"):
            seen.client.wait_for("CLOSE-WAIT", within=5)
    assert seen.client.state is S.ESTABLISHED


def test_the_watch_ends_with_its_body() -> None:
    with connected() as pair, harness.watch(pair.endpoint):
        assert any(thread.name == "harness watcher" for thread in threading.enumerate())
    assert all(thread.name != "harness watcher" for thread in threading.enumerate())


def test_waiting_after_the_watch_has_ended_fails_at_once() -> None:
    with connected() as pair, harness.watch(pair.endpoint, source="sock_diag") as seen:
        pass
    with pytest.raises(StateNotReachedError, match="expected CLOSE-WAIT within 3600 s, found ESTABLISHED"):
        seen.client.wait_for("CLOSE-WAIT", within=3600)


def test_a_ladder_may_be_checked_after_the_watch_has_ended() -> None:
    with connected() as pair, harness.watch(pair.endpoint, pair.peer) as seen:
        close_from_client(pair, seen)
    seen.client.check("ESTABLISHED > FIN-WAIT-1 > FIN-WAIT-2 > TIME-WAIT")
