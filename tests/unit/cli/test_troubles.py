"""A programmed VIP's troubles, as rows."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from lbaas.cli.troubles import locked_out, refused, sick, silent, unhealthy, unheard
from lbaas.wire.status import (
    DroppedPackets,
    NodeStatus,
    SilentMember,
    UnhealthyMember,
    VipStatus,
)
from lbaas.wire.tenants import Listener
from tests.unit.client.samples import sample

HTTP = UUID(int=1)
LISTENERS = [Listener.model_validate(sample(Listener, id=HTTP, name="http"))]


def bad(address: str, since_s: int) -> UnhealthyMember:
    since = f"2026-11-23T00:00:{since_s:02}Z"
    body = sample(UnhealthyMember, listener_id=HTTP, address=address, since=since, cause="refused")
    return UnhealthyMember.model_validate(body)


def status(*unhealthy_by_node: list[UnhealthyMember], dropped: int = 0) -> VipStatus:
    nodes = [
        sample(NodeStatus, name=f"lb{n}", unhealthy=found)
        for n, found in enumerate(unhealthy_by_node)
    ]
    packets = DroppedPackets(listener_id=HTTP, source=0, rate=dropped, malformed=0)
    return VipStatus.model_validate(sample(VipStatus, nodes=nodes, dropped=[packets]))


def test_a_member_that_two_nodes_find_sick_is_one_row_since_the_first_saw_it() -> None:
    seen = status([bad("10.0.20.12", 9), bad("10.0.20.11", 5)], [bad("10.0.20.12", 4)])
    assert unhealthy(seen, LISTENERS)[1:] == [
        ["10.0.20.11", "http", "2026-11-23T00:00:05Z", "lb0", "refused"],
        ["10.0.20.12", "http", "2026-11-23T00:00:04Z", "lb0,lb1", "refused"],
    ]
    assert sick(seen) == ["10.0.20.11 unhealthy on lb0", "10.0.20.12 unhealthy on lb0,lb1"]


def test_agents_whose_certificate_has_expired_are_told() -> None:
    ends = datetime(2026, 11, 23, tzinfo=UTC)
    nodes = [
        sample(NodeStatus, name="lb0", certificate_expires_at=ends.isoformat()),
        sample(NodeStatus, name="lb1", certificate_expires_at=None),
    ]
    seen = VipStatus.model_validate(sample(VipStatus, nodes=nodes, hosts=[], dropped=[]))

    assert locked_out(seen, ends)[1:] == [["lb0", "2026-11-23T00:00:00Z"]]
    assert locked_out(seen, ends - timedelta(seconds=1)) == []


def test_refused_packets_are_told_by_listener_and_reason() -> None:
    assert refused(status(dropped=7), LISTENERS)[1:] == [["http", "0", "7", "0"]]
    assert refused(status(dropped=7), [])[1][0] == str(HTTP)


def test_a_router_that_does_not_hear_of_the_vip_is_named_by_node() -> None:
    nodes = [
        sample(NodeStatus, name="lb0", unheard_by=["10.0.10.1", "10.0.10.2"]),
        sample(NodeStatus, name="lb1", unheard_by=[]),
    ]
    seen = VipStatus.model_validate(sample(VipStatus, nodes=nodes))
    assert unheard(seen)[1:] == [["lb0", "10.0.10.1,10.0.10.2"]]


def test_a_member_that_seems_to_answer_nobody_is_told_with_its_port_and_by_node() -> None:
    doubted = SilentMember.model_validate(
        sample(SilentMember, port=80, address="10.0.20.12"),
    )
    nodes = [
        sample(NodeStatus, name="lb0", silent=[]),
        sample(NodeStatus, name="lb1", silent=[doubted]),
    ]
    seen = VipStatus.model_validate(sample(VipStatus, nodes=nodes))
    assert silent(seen)[1:] == [["10.0.20.12", "80", "lb1"]]


def test_without_troubles_there_is_not_even_a_title() -> None:
    well = status([], [])
    assert (unhealthy(well, LISTENERS), refused(well, LISTENERS), sick(well)) == ([], [], [])
    assert (unheard(well), silent(well)) == ([], [])
