"""Figures from packets and attempts."""

import pytest

from lbaas.demo.count import (
    attempts,
    crossing,
    first_answer,
    good_again,
    held,
    replies,
    source_ports,
)
from lbaas.demo.facts import Attempt, Tally
from lbaas.lab.messages import Captured, Direction, Fetched, Flow, Layer, Packet

VIP, CLIENT, NODE, BACKEND = "198.51.100.7", "10.0.1.11", "10.0.10.11", "10.0.20.11"
TCP, IPIP = 6, 4


def packet(
    direction: Direction, *addresses: tuple[str, str], length: int = 60, port: int = 0
) -> Packet:
    outer = [Layer(source=s, destination=d, protocol=IPIP) for s, d in addresses[:-1]]
    source, destination = addresses[-1]
    return Packet(
        at_s=0,
        interface="eth0",
        direction=direction,
        length=length,
        layers=(*outer, Layer(source=source, destination=destination, protocol=TCP)),
        source_port=port,
    )


def captured(*packets: Packet, dropped: int = 0) -> Captured:
    return Captured(packets=packets, dropped=dropped)


REQUEST = packet("in", (CLIENT, VIP), port=40001)
TUNNELLED = packet("out", (NODE, BACKEND), (CLIENT, VIP), length=80, port=40001)
OTHER = packet("in", ("10.0.10.1", NODE))


def test_a_node_is_crossed_by_requests_and_by_the_tunnels_that_carry_them_on() -> None:
    found = crossing(captured(OTHER, REQUEST, TUNNELLED, REQUEST, TUNNELLED), VIP)
    assert (found.requests, found.tunnelled, found.replies) == (
        Tally(2, 120),
        Tally(2, 160),
        Tally(),
    )


@pytest.mark.parametrize(
    "reply",
    [
        packet("in", (VIP, CLIENT)),
        packet("out", (VIP, CLIENT)),
        packet("in", (BACKEND, NODE), (VIP, CLIENT)),
    ],
    ids=["in", "out", "tunnelled"],
)
def test_a_reply_is_seen_whichever_way_it_crosses_a_node(reply: Packet) -> None:
    assert crossing(captured(REQUEST, TUNNELLED, reply), VIP).replies.packets == 1


def test_what_a_capture_missed_is_told() -> None:
    assert crossing(captured(REQUEST, dropped=3), VIP).missed == 3


def test_replies_are_what_the_client_received_from_the_vip() -> None:
    sent = packet("out", (CLIENT, VIP))
    got = packet("in", (VIP, CLIENT), length=1500)
    assert replies(captured(sent, got, got, OTHER), VIP) == Tally(2, 3000)


def test_source_ports_are_those_of_flows_to_the_vip() -> None:
    elsewhere = packet("in", (CLIENT, "198.51.100.8"), port=40002)
    assert source_ports(captured(REQUEST, TUNNELLED, elsewhere), VIP) == {40001}


def test_the_first_answer_is_the_one_that_came_first_not_the_first_attempt_that_worked() -> None:
    made = [
        Fetched(at_s=10.1, elapsed_s=0.001, error="ENETUNREACH"),
        Fetched(at_s=10.2, elapsed_s=1.0),
        Fetched(at_s=10.7, elapsed_s=0.01),
        Fetched(at_s=10.8, elapsed_s=0.01),
    ]
    first_s, failed = first_answer(made, 10)
    assert first_s == pytest.approx(0.71)
    assert failed == 1


def test_without_an_answer_there_is_no_first_one() -> None:
    assert first_answer([Fetched(at_s=1, elapsed_s=2, error="timed out")], 0) == (None, 1)


def test_attempts_are_put_on_the_clock_of_the_event() -> None:
    assert attempts([Fetched(at_s=9.5, elapsed_s=0.25, error="reset")], 10) == (
        Attempt(-0.5, 0.25, "reset"),
    )


def flow(port: int, exchanged: int) -> Flow:
    return Flow(
        source_port=port,
        backend="backend1",
        alive=True,
        exchanged=exchanged,
        waiting_s=0,
        longest_stall_s=0.1,
    )


def test_a_held_flow_knows_its_node_and_what_it_exchanged_since() -> None:
    first, second = held(
        before=[flow(40001, 30), flow(40002, 31)],
        after=[flow(40001, 30), flow(40002, 111)],
        ports={"lb1": frozenset({40001}), "lb2": frozenset({40002})},
    )
    assert (first.through, first.exchanged) == ("lb1", 0)
    assert (second.through, second.exchanged) == ("lb2", 80)


GOOD, WAITED, FAILED = (0.01, ""), (1.01, ""), (0.01, "reset")


@pytest.mark.parametrize(
    ("made", "since"),
    [
        ([(-1.0, *GOOD), (0.1, *GOOD), (0.2, *GOOD)], 0.1),
        ([(0.1, *WAITED), (0.2, *GOOD), (0.3, *GOOD)], 0.2),
        ([(0.1, *GOOD), (0.2, *FAILED), (0.3, *WAITED), (0.4, *GOOD)], 0.4),
        ([(-0.5, *WAITED), (0.1, *GOOD)], 0.1),
        ([(-1.5, *WAITED), (0.1, *GOOD)], 0.1),
        ([(0.1, *GOOD), (0.2, *FAILED)], None),
        ([(-1.0, *GOOD)], None),
    ],
)
def test_connections_are_good_again_since_the_first_after_which_each_worked_at_once(
    made: list[tuple[float, float, str]], since: float | None
) -> None:
    assert good_again(Attempt(*each) for each in made) == since
