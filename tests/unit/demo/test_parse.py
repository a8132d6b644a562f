"""Programs' output becomes facts; the samples were printed by the programs in the lab."""

import json

from lbaas.demo.facts import Destination, Mark, Route, Service
from lbaas.demo.parse import marks, route, services

NODES = {"10.0.10.11": "lb1", "10.0.10.12": "lb2"}

TWO_HOPS = json.loads("""[{"dst":"198.51.100.7","protocol":"bird","metric":32,"flags":[],"nexthops":[\
{"gateway":"10.0.10.11","dev":"nodes","weight":1,"flags":[]},\
{"gateway":"10.0.10.12","dev":"nodes","weight":1,"flags":[]}]}]""")
ONE_HOP = json.loads("""[{"dst":"198.51.100.7","gateway":"10.0.10.12","dev":"nodes",\
"protocol":"bird","metric":32,"flags":[]}]""")

LISTED = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.0.2.1:443 rr
  -> 192.0.2.9:443                Masq    1      0          0
FWM  268456960 mh (mh-fallback,mh-port)
  -> 10.0.20.11:0                 Tunnel  1      0          8
  -> 10.0.20.12:0                 Tunnel  0      3          12
FWM  268463104 IPv6 rr
  -> [fd00:20::11]:0              Route   1      0          4
"""
COUNTED = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  192.0.2.1:443                       1        2        3        4        5
  -> 192.0.2.9:443                       1        2        3        4        5
FWM  268456960                          20      100        0     6540        0
  -> 10.0.20.11:0                        8       40        0     2616        0
  -> 10.0.20.12:0                       12       60        0     3924        0
FWM  268463104 IPv6                      4       20        0     1736        0
  -> [fd00:20::11]:0                     4       20        0     1736        0
"""


def test_a_route_names_the_nodes_it_goes_by() -> None:
    assert route("198.51.100.7", TWO_HOPS, NODES) == Route("198.51.100.7", ("lb1", "lb2"))


def test_a_route_with_a_single_next_hop_is_printed_otherwise_and_read_alike() -> None:
    assert route("198.51.100.7", ONE_HOP, NODES).nodes == ("lb2",)


def test_no_route_is_by_no_node() -> None:
    assert route("198.51.100.7", [], NODES).nodes == ()


def test_a_next_hop_that_is_no_node_keeps_its_address() -> None:
    assert route("198.51.100.7", ONE_HOP, {}).nodes == ("10.0.10.12",)


def test_marks_are_those_of_ports_and_of_ranges_but_not_of_errors() -> None:
    def of(name: str, *elements: list[object]) -> dict[str, object]:
        return {"map": {"name": name, "elem": elements} if elements else {"name": name}}

    listed = [
        {"metainfo": {"version": "1.0.6"}},
        {"set": {"name": "vips4", "elem": ["198.51.100.7"]}},
        of("flows4", [{"concat": ["198.51.100.7", 6, 80]}, 268456960]),
        of("ranges4"),
        of("errors4", [{"concat": [3325256711, 6, 80]}, 268456960]),
        of("ranges6", [{"concat": ["2001:db8::7", 17, {"range": [5000, 5009]}]}, 268463104]),
    ]
    assert marks({"nftables": listed}) == (
        Mark("198.51.100.7", "tcp", "80", 268456960),
        Mark("2001:db8::7", "udp", "5000-5009", 268463104),
    )


def test_services_have_their_destinations_in_order_with_this_nodes_counters() -> None:
    assert services(LISTED, COUNTED) == (
        Service(
            family=4,
            mark=268456960,
            scheduler="mh",
            flags="mh-fallback,mh-port",
            destinations=(
                Destination("10.0.20.11", "tunnel", 1, 8, 40, 2616),
                Destination("10.0.20.12", "tunnel", 0, 12, 60, 3924),
            ),
        ),
        Service(
            family=6,
            mark=268463104,
            scheduler="rr",
            flags="",
            destinations=(Destination("fd00:20::11", "route", 1, 4, 20, 1736),),
        ),
    )


def test_a_service_that_came_between_the_two_listings_has_no_counters_yet() -> None:
    (first, *_) = services(LISTED, "")
    assert [each.connections for each in first.destinations] == [0, 0]
