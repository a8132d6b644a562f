from pathlib import Path

from lbaas.lab.bird_config import node_config, router_config
from lbaas.lab.topology import Role, Topology

GOLDEN = Path(__file__).parents[2] / "golden"


def test_the_routers_configuration_is_as_reviewed() -> None:
    assert router_config(Topology(), "/dev/stderr") == (GOLDEN / "lab-router.conf").read_text()


def test_a_nodes_configuration_is_as_reviewed() -> None:
    node = Topology().of(Role.NODE)[0]

    rendered = node_config(node, "/dev/stderr", "/run/lbaas-lab/lb1/lbaas*.conf")

    assert rendered == (GOLDEN / "lab-node.conf").read_text()


def test_the_router_looks_as_fast_as_the_topology_says() -> None:
    fast = router_config(Topology(bfd_interval_ms=100, bfd_multiplier=5), "/dev/stderr")

    assert "min rx interval 100 ms; min tx interval 100 ms;" in fast
    assert "multiplier 5;" in fast


def test_every_node_has_one_session_of_each_family() -> None:
    rendered = router_config(Topology(nodes=4), "/dev/stderr")

    assert rendered.count("protocol bgp lb") == 8
    assert rendered.count("neighbor fd00:10::14 as 65001;") == 1
