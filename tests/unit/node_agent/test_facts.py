"""What a node says of itself."""

from ipaddress import IPv4Address
from pathlib import Path

from lbaas.dataplane.ipvs.desired import Destination, Service, ServiceKey
from lbaas.domain.terms import Forwarding
from lbaas.node_agent.facts import (
    MH_BYTES,
    ingress_packets,
    order_digest,
    scheduler_bytes,
    strict_rp_filter,
)

A, B = (Destination(IPv4Address(f"10.0.20.{n}"), Forwarding.TUNNEL, 1) for n in (11, 12))
ONE, TWO = ServiceKey(4, 1), ServiceKey(6, 1)


def test_the_digest_depends_on_the_order_of_destinations_and_not_on_that_of_services() -> None:
    ab, ba = Service("mh", 0x18, (A, B)), Service("mh", 0x18, (B, A))
    assert order_digest({ONE: ab, TWO: ba}) == order_digest({TWO: ba, ONE: ab})
    assert order_digest({ONE: ab}) != order_digest({ONE: ba})
    assert order_digest({ONE: ab}) != order_digest({TWO: ab})


def test_only_mh_has_tables_of_a_size_worth_telling() -> None:
    assert scheduler_bytes({ONE: Service("mh", 0, ()), TWO: Service("rr", 0, ())}) == MH_BYTES


def test_incoming_packets_are_read_as_the_kernel_lists_them(tmp_path: Path) -> None:
    stats = tmp_path / "ip_vs_stats"
    stats.write_text(
        "   Total Incoming Outgoing         Incoming         Outgoing\n"
        "   Conns  Packets  Packets            Bytes            Bytes\n"
        "      2A       FF        0             1234                0\n"
    )
    assert ingress_packets(stats) == 255


def test_devices_with_a_strict_filter_are_named_and_what_new_ones_get_is_not(
    tmp_path: Path,
) -> None:
    for device, value in {"all": 1, "default": 1, "eth0": 2, "eth1": 1}.items():
        (tmp_path / device).mkdir()
        (tmp_path / device / "rp_filter").write_text(f"{value}\n")
    assert list(strict_rp_filter(tmp_path)) == ["all", "eth1"]
