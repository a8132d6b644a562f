"""A router that is not on the nodes' segment: multihop, a password, BFD, and routes that outlive BIRD."""

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from uuid import UUID

import pytest

from lbaas.client.exchange import Json
from lbaas.domain.addresses import Address
from lbaas.lab.bird_config import TIMERS
from lbaas.lab.site import Site
from lbaas.lab.topology import NODES_AS, ROUTER, ROUTER_AS, SEGMENTS, Role
from tests.e2e.balanced import Balanced, eventually
from tests.e2e.clients import Clients

NODES = ("lb1", "lb2")
ADDRESS = IPv4Address("10.0.99.1")  # of the router's own loopback
NEAR = SEGMENTS[Role.NODE].gateway4
RIGHT, WRONG = "it's-me;17#ways", "somebody-else"

# BFD falls silent with BIRD, which is no reason to forget what BIRD announced: it may be back soon.
FAR = f"""
protocol direct {{ ipv4; }}
template bgp far {{
  local {ADDRESS} as {ROUTER_AS}; multihop; passive on; password "{RIGHT}"; bfd graceful;
{TIMERS}
  ipv4 {{ import filter vips4; export none; }};
}}
"""


@dataclass(frozen=True)
class Far:
    """The router under its far address: what the API and what the router itself know of it."""

    site: Site
    peer: UUID

    def stands(self, node: str, address: Address = ADDRESS) -> bool:
        """The node has a session with it, as it reports, under *address*; false while it can't ask its BIRD."""
        return str(address) in (self._facts(node)["sessions"] or ())

    def unheard(self, node: str) -> bool:
        """The node reports that it can't tell it anything."""
        return str(ADDRESS) in [each["peer"] for each in self._facts(node)["unheard"]]

    def _facts(self, node: str) -> Json:
        found = self.site.admin.get(f"/v1/nodes/{self.site.inventory.nodes[node]}")["facts"]
        return dict(found)

    def bird(self, *command: str) -> str:
        """What the router's BIRD answers."""
        socket = str(self.site.lab.bird_socket(ROUTER))
        return self.site.lab.run(ROUTER, ["birdc", "-s", socket, *command]).stdout

    def established(self, node: str) -> bool:
        """The same, as the router sees it."""
        return "Established" in self.bird("show", "protocols", f"{node}_far")


@pytest.fixture
def far(site: Site) -> Iterator[Far]:
    """The router speaks IPv4 to the nodes from its far address only: a neighbour is one session's there."""
    config = site.lab.share / f"{ROUTER}-bird.conf"
    near = config.read_text()
    nodes = [node for node in site.lab.topology.of(Role.NODE) if node.name in NODES]
    sessions = "".join(
        f"protocol bgp {node.name}_far from far {{ neighbor {node.address4} as {NODES_AS}; }}\n"
        for node in nodes
    )
    without = re.sub(r"protocol bgp \w+_4 from node .*?\n}\n", "", near, flags=re.DOTALL)
    with_bfd = without.replace("protocol bfd {", "protocol bfd {\n  multihop { interval 300 ms; };")
    config.write_text(with_bfd + FAR + sessions)
    way = ["ip", "route", "replace", f"{ADDRESS}/32", "via", str(NEAR)]
    address = ["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"]
    for machine, command in ((ROUTER, address), *((name, way) for name in NODES)):
        assert site.lab.run(machine, command).status == 0
    body = {"name": "far", "address": str(ADDRESS), "as_number": ROUTER_AS, "password": RIGHT}
    body |= {"multihop": True, "graceful_restart": True}
    made = site.admin.post("/v1/peers", body | {"cluster_id": str(site.inventory.cluster)})
    found = Far(site, UUID(made["id"]))
    assert "Reconfigur" in found.bird("configure")
    yield found
    site.admin.peers.delete(found.peer)
    config.write_text(near)
    found.bird("configure")
    eventually(lambda: not any(map(found.stands, NODES)))
    eventually(lambda: all(found.stands(name, NEAR) for name in NODES))
    for name in NODES:
        site.lab.run(name, ["ip", "route", "del", f"{ADDRESS}/32"])
    site.lab.run(ROUTER, ["ip", "address", "del", f"{ADDRESS}/32", "dev", "lo"])


def test_a_far_router_hears_all_keeps_it_while_bird_is_gone_and_hears_nothing_unsigned(
    balanced4: Balanced, far: Far
) -> None:
    site = balanced4.site
    eventually(lambda: all(map(far.stands, NODES)))
    eventually(lambda: len(balanced4.next_hops()) == 2)

    clients = Clients(site, balanced4.address)
    site.lab.birds["lb1"].kill(signal.SIGKILL)
    site.lab.birds["lb1"].wait()
    eventually(lambda: not far.established("lb1"))
    assert len(balanced4.next_hops()) == 2
    site.lab.revive_node("lb1")
    eventually(lambda: far.established("lb1"))
    assert clients.failures() == []

    site.admin.peers.patch(far.peer, {"password": WRONG})
    eventually(lambda: far.unheard("lb1") and not far.stands("lb1"))
    site.admin.peers.patch(far.peer, {"password": RIGHT})
    eventually(lambda: far.stands("lb1"))
    balanced4.wait_programmed()
