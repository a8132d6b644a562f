"""The meter's table. The goldens are fed to the real nft in tests/integration/programs."""

from ipaddress import IPv4Address, IPv6Address

from lbaas.dataplane.usage.desired import (
    NODE_TABLE,
    USUAL_BITS,
    HostAddresses,
    host_meter,
    narrowed,
    node_meter,
)
from lbaas.dataplane.usage.render import forget, remove, turn
from lbaas.dataplane.usage.series import parse
from lbaas.wire.state import MarkRange
from tests.golden_files import assert_golden

NODE = node_meter(MarkRange(first=0x10000000, last=0x1000FFFF), USUAL_BITS)
HOST = host_meter(
    HostAddresses(
        vips=(IPv4Address("198.51.100.1"), IPv6Address("2001:db8:100::1")),
        direct=(IPv4Address("198.51.100.1"),),
        nodes=(IPv4Address("10.0.10.11"), IPv6Address("fd00:10::11")),
    ),
    {4: 32, 6: 56},
)


def test_a_nodes_table() -> None:
    assert_golden("usage-node.nft", turn(NODE, 1764918000) + "\n")


def test_a_hosts_table() -> None:
    assert_golden("usage-host.nft", turn(HOST, 1764918000) + "\n")


def test_at_one_place_of_many_the_table_has_its_own_vips_alone_and_grows() -> None:
    commands = turn(narrowed(HOST, {IPv4Address("198.51.100.1")}), 1764918000)
    assert "vips4 { 198.51.100.1 }" in commands
    assert "2001:db8:100::1" not in commands
    assert "nodes6 { fd00:10::11 }" in commands
    assert " size " not in commands
    assert turn(narrowed(HOST, None), 1764918000) == turn(HOST, 1764918000)


def test_the_number_of_rules_does_not_depend_on_the_number_of_vips() -> None:
    few, many = (
        host_meter(HostAddresses(vips=tuple(IPv4Address(n) for n in range(count))), USUAL_BITS)
        for count in (1, 1000)
    )
    assert turn(few, 1).count("add rule") == turn(many, 1).count("add rule")


def test_only_what_was_read_is_forgotten() -> None:
    read = list(parse(["node4_single_24_7", "node4_single_all_7"]))
    assert forget(NODE, read).splitlines() == [
        f"delete set inet {NODE_TABLE} node4_single_24_7",
        f"delete set inet {NODE_TABLE} node4_single_all_7",
    ]


def test_a_table_that_may_not_be_there_is_removed_without_an_error() -> None:
    assert remove(NODE_TABLE).splitlines() == [
        f"add table inet {NODE_TABLE}",
        f"delete table inet {NODE_TABLE}",
    ]
