"""Members that seem to answer nobody, by the states of flows."""

from ipaddress import IPv4Address
from pathlib import Path

from lbaas.dataplane.ipvs.flows import Flow
from lbaas.node_agent.silent import judged, silent
from lbaas.wire.report import Silent

VIP, OTHER = (IPv4Address(f"198.51.100.{number}") for number in (1, 2))
HINT = Silent(vip=VIP, port=80, member=IPv4Address("10.0.20.12"))

GOOD, BAD = b"C6336401 0050 0A00140B", b"C6336401 0050 0A00140C"
GOOD_ELSEWHERE = b"C6336401 01BB 0A00140B"


def some(place: bytes, number: int, *, begun: bool) -> list[Flow]:
    return [Flow(place, begun)] * number


def test_a_member_whose_clients_all_wait_while_another_is_heard_is_silent() -> None:
    assert judged(some(GOOD, 1, begun=True) + some(BAD, 5, begun=False)) == [HINT]


def test_one_client_that_got_further_or_few_that_wait_make_no_hint() -> None:
    heard = some(GOOD, 9, begun=True)
    assert judged(heard + some(BAD, 5, begun=False) + some(BAD, 1, begun=True)) == []
    assert judged(heard + some(BAD, 4, begun=False)) == []


def test_where_nobody_is_heard_at_that_port_nobody_is_silent() -> None:
    flood = some(GOOD, 50, begun=False) + some(BAD, 50, begun=False)
    assert judged(flood + some(GOOD_ELSEWHERE, 9, begun=True)) == []


def test_hints_are_for_our_own_vips(tmp_path: Path) -> None:
    listing = tmp_path / "ip_vs_conn"
    listing.write_text(
        "TCP 0A00010B A411 C6336401 0050 0A00140B 0050 ESTABLISHED     899\n"
        + 5 * "TCP 0A00010B B001 C6336401 0050 0A00140C 0050 SYN_RECV         59\n"
    )
    assert silent({VIP}, listing) == (HINT,)
    assert silent({OTHER}, listing) == ()


def test_a_node_with_too_many_flows_is_not_looked_through(tmp_path: Path) -> None:
    listing = tmp_path / "ip_vs_conn"
    with listing.open("wb") as written:
        written.write(b"TCP 0A00010B A411 C6336401 0050 0A00140B 0050 ESTABLISHED     899\n")
        written.write(5 * b"TCP 0A00010B B001 C6336401 0050 0A00140C 0050 SYN_RECV         59\n")
        written.truncate(100 << 20)
    assert silent({VIP}, listing) == ()
