from tests.chaos.invariants import Forwarding, astray, differing, forwarding, twice

FLOWS = """
table inet lbaas {
    map flows4 {
        type ipv4_addr . inet_proto . inet_service : mark
        elements = { 198.51.100.1 . tcp . 80 : 0x10000000,
                     198.51.100.2 . tcp . 80 : 0x10000001 }
    }
}
table inet lbaas {
    map flows6 {
        elements = { 2001:db8:100::1 . tcp . 80 : 0x10000002 }
    }
}
"""
SERVICES = """\
-A -f 7 -s rr
-A -f 268435456 -s mh -b mh-fallback
-a -f 268435456 -r 10.0.20.11:0 -i -w 1
-a -f 268435456 -r 10.0.20.12:0 -i -w 0
-A -f 268435457 -s mh
-a -f 268435457 -r 10.0.20.13:0 -i -w 2
-A -f 268435458 -6 -s mh
-a -f 268435458 -6 -r [fd00:20::11]:0 -i -w 3
"""
SEEN = forwarding(FLOWS, SERVICES)
MEANT = {
    "198.51.100.1": {"10.0.20.11", "10.0.20.12"},
    "198.51.100.2": {"10.0.20.13"},
    "2001:db8:100::1": {"fd00:20::11"},
}
ORDERED = {
    "198.51.100.1": {"10.0.20.11": 1, "10.0.20.12": 0},
    "198.51.100.2": {"10.0.20.13": 2},
    "2001:db8:100::1": {"fd00:20::11": 3},
}


def test_what_the_kernel_lists_is_read() -> None:
    assert {vip: SEEN.of(vip) for vip in ORDERED} == ORDERED
    assert SEEN.of("198.51.100.9") == {}


def test_nothing_is_wrong_where_all_is_as_its_owner_wants_it() -> None:
    assert list(astray(SEEN, MEANT)) == []
    assert list(differing(SEEN, ORDERED)) == []


def test_a_backend_that_the_owner_never_named_is_seen() -> None:
    (found,) = astray(SEEN, {**MEANT, "198.51.100.2": {"10.0.20.11"}})
    assert found == "packets to 198.51.100.2 go to 10.0.20.13, which its owner never named"


def test_a_mark_of_two_vips_is_seen() -> None:
    seen = Forwarding({"198.51.100.1": frozenset({5}), "198.51.100.2": frozenset({5})}, {})
    assert list(astray(seen, {})) == ["mark 0x5 belongs to more than one VIP"]


def test_another_weight_another_backend_and_a_vip_that_is_not_there_differ() -> None:
    wanted = {
        "198.51.100.1": {"10.0.20.11": 1, "10.0.20.12": 1},
        "198.51.100.2": {"10.0.20.11": 2},
        "198.51.100.3": {"10.0.20.11": 1},
    }
    assert len(list(differing(SEEN, wanted))) == 3


def test_an_address_that_two_vips_have_is_seen() -> None:
    assert list(twice(["198.51.100.1", "198.51.100.2"])) == []
    assert list(twice(["198.51.100.1", "198.51.100.1"])) == ["2 VIPs have 198.51.100.1"]
