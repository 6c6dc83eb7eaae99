"""The lines of trace_pipe against lines that Linux 6.18 really printed."""

from harness.rows import Endpoint
from harness.sources.trace_lines import count_lost, parse
from harness.states import TcpState
from harness.transitions import SegmentEvent, StateChange

STATE_LINE = (
    "         python3-6035    [001] ..s2.  1214.575160: inet_sock_set_state: family=AF_INET "
    "protocol=IPPROTO_TCP sport=56167 dport=33936 saddr=127.0.0.1 daddr=127.0.0.1 "
    "saddrv6=::ffff:127.0.0.1 daddrv6=::ffff:127.0.0.1 "
    "oldstate=TCP_ESTABLISHED newstate=TCP_CLOSE_WAIT\n"
)
MAPPED_LINE = STATE_LINE.replace("AF_INET ", "AF_INET6 ")
V6_LINE = (
    "  a [1] 1.5: sh-7 [000] .....  1214.575695: inet_sock_set_state: family=AF_INET6 protocol=IPPROTO_TCP "
    "sport=58900 dport=50105 saddr=0.0.0.0 daddr=0.0.0.0 saddrv6=::1 daddrv6=::1 oldstate=TCP_ESTABLISHED "
    "newstate=TCP_FIN_WAIT1\n"
)
LISTEN_LINE = (
    "   python3-6035    [001] .....  1214.573594: inet_sock_set_state: family=AF_INET "
    "protocol=IPPROTO_TCP sport=56167 dport=0 saddr=127.0.0.1 daddr=0.0.0.0 "
    "saddrv6=::ffff:127.0.0.1 daddrv6=::ffff:0.0.0.0 "
    "oldstate=TCP_CLOSE newstate=TCP_LISTEN\n"
)
RESET_SENT_LINE = (
    "         python3-6035    [001] .....  1214.576212: tcp_send_reset: skbaddr=0000000000000000 "
    "skaddr=000000000c4d5902 src=127.0.0.1:34011 dest=127.0.0.1:55292 "
    "state=TCP_CLOSE reason=TCP_ABORT_ON_CLOSE\n"
)
RESET_RECEIVED_LINE = (
    "         python3-6035    [001] ..s2.  1214.576209: tcp_receive_reset: family=AF_INET sport=55292 "
    "dport=34011 saddr=127.0.0.1 daddr=127.0.0.1 "
    "saddrv6=::ffff:127.0.0.1 daddrv6=::ffff:127.0.0.1 sock_cookie=2\n"
)
SERVER = Endpoint.of((("127.0.0.1", 56167), ("127.0.0.1", 33936)))


def test_a_transition_is_read_with_its_time() -> None:
    (event,) = parse(STATE_LINE)
    assert event == StateChange(SERVER, TcpState.ESTABLISHED, TcpState.CLOSE_WAIT, 1214.575160, "tracepoint")


def test_a_dual_stack_socket_is_the_same_endpoint_as_a_v4_one() -> None:
    (event,) = parse(MAPPED_LINE)
    assert event.endpoint == SERVER


def test_a_command_that_looks_like_a_line_does_not_confuse() -> None:
    (event,) = parse(V6_LINE)
    assert str(event.endpoint) == "[::1]:58900 > [::1]:50105"
    assert event.at == 1214.575695


def test_sockets_without_a_peer_are_skipped() -> None:
    assert list(parse(LISTEN_LINE)) == []


def test_other_protocols_are_skipped() -> None:
    assert list(parse(STATE_LINE.replace("IPPROTO_TCP", "IPPROTO_MPTCP"))) == []


def test_a_reset_is_told_with_who_sent_it_and_why() -> None:
    sent, received = parse(RESET_SENT_LINE + RESET_RECEIVED_LINE)
    assert isinstance(sent, SegmentEvent)
    assert (sent.kind, sent.reason) == ("reset sent", "TCP_ABORT_ON_CLOSE")
    assert isinstance(received, SegmentEvent)
    assert received.kind == "reset received"
    assert received.endpoint == sent.endpoint.peer


def test_lost_events_are_counted() -> None:
    assert count_lost("CPU:1 [LOST 34 EVENTS]\n" + STATE_LINE + "CPU:0 [LOST 2 EVENTS]\n") == 36
