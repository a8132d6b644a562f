"""What others have in the kernel, and what of it a node reports."""

import pytest

from lbaas.node_agent.foreign import FwmarkRule, Surroundings, described
from lbaas.wire.state import MarkRange

MARKS = MarkRange(first=0x10000000, last=0x1000FFFF)
ALONE = Surroundings(0, {}, (), (), ())

TABLES = {
    "ip mangle": "\tchain PREROUTING {\n\t\tmeta mark set 0x00000001\n\t}\n",
    "inet filter": "\tchain input {\n\t\tct state invalid drop\n\t}\n",
    "inet numeric": "\tchain input {\n\t\tct state 0x1 drop\n\t}\n",
    "inet harmless": "\tchain input {\n\t\tct state established accept\n\t}\n",
}


def test_a_node_by_itself_has_nothing_to_report() -> None:
    assert described(ALONE, MARKS) == ()


def test_tables_that_mark_or_that_drop_by_state_are_reported() -> None:
    found = Surroundings(0, TABLES, (), (), ())
    stateful, numeric, marking = described(found, MARKS)
    assert "inet numeric drops" in numeric
    assert "inet filter drops by connection state" in stateful
    assert "ip mangle sets packet marks" in marking


@pytest.mark.parametrize(
    ("rule", "concerns"),
    [
        (FwmarkRule(100, 0x10000000, 0xFFFF0000), True),
        (FwmarkRule(100, 0x0, 0xFF000000), False),
        (FwmarkRule(100, 0x1, 0xFFFFFFFF), False),
        (FwmarkRule(100, 0x1000FFFF, 0xFFFFFFFF), True),
    ],
)
def test_a_routing_rule_is_reported_if_packets_of_ours_match_it(
    rule: FwmarkRule, *, concerns: bool
) -> None:
    assert bool(described(Surroundings(0, {}, (rule,), (), ()), MARKS)) is concerns


def test_services_strict_filters_and_old_tables_are_reported() -> None:
    found = Surroundings(2, {}, (), ("all", "eth0"), ("filter",))
    services, strict, legacy = described(found, MARKS)
    assert services == "IPVS: 2 services that are not ours"
    assert "strict on all, eth0" in strict
    assert "filter" in legacy


# As nft lists what each of them has made.
KUBERNETES = {
    "ip filter": """\
	chain KUBE-FORWARD {
		ct state 0x1 counter packets 0 bytes 0 drop
		meta mark & 0x00004000 == 0x00004000 counter packets 0 bytes 0 accept
	}
	chain cali-FORWARD {
		counter packets 0 bytes 0 meta mark set mark and 0xfff1ffff
	}
""",
    "ip kube-proxy": """\
	chain mark-for-masquerade {
		meta mark set mark or 0x00004000
	}
""",
    "ip mangle": """\
	chain KUBE-ROUTER-DSR {
		ip daddr 203.0.113.7 tcp dport 80 counter packets 0 bytes 0 meta mark set 0x00003c1f
	}
""",
    "ip6 mangle": """\
	chain CILIUM_PRE_mangle {
		meta l4proto 6 counter packets 0 bytes 0 meta mark set 0x00000200
	}
""",
}


def test_who_is_at_work_in_a_table_is_said() -> None:
    said = described(Surroundings(0, KUBERNETES, (), (), ()), MARKS)
    marking = [each.split(" sets")[0] for each in said if "sets packet marks" in each]
    assert marking == [
        "nftables: table ip filter (kube-proxy, Calico)",
        "nftables: table ip kube-proxy (kube-proxy)",
        "nftables: table ip mangle (kube-router)",
        "nftables: table ip6 mangle (Cilium)",
    ]
    (stateful,) = (each for each in said if "connection state" in each)
    assert stateful.startswith("nftables: table ip filter (kube-proxy, Calico) drops")


def test_whose_the_services_in_ipvs_are_is_told_from_the_devices() -> None:
    devices = ("lo", "eth0", "kube-ipvs0", "cilium_host")
    assert described(Surroundings(3, {}, (), (), (), devices), MARKS) == (
        "IPVS: 3 services that are not ours (kube-proxy in ipvs mode)",
        "devices: Cilium is at work on this machine",
        "devices: kube-proxy in ipvs mode is at work on this machine",
    )


def test_a_rule_is_named_where_our_marks_meet_it() -> None:
    rule = FwmarkRule(9, 0x200, 0xF00)
    (said,) = described(Surroundings(0, {}, (rule,), (), ()), MarkRange(first=0x200, last=0x2FF))
    assert said == "routing: rule 9 (Cilium) is for packets with marks of ours"
