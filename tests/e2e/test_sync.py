"""Connection sync: flows of a draining member survive the loss of their node, and without it some do not."""

from collections.abc import Iterator

import pytest

from lbaas.lab.site import Site
from tests.e2e.balanced import CLIENT, PORT, Balanced, eventually

NODES = ("lb1", "lb2")
FLOWS = 40

# A flow that was lost is reset at its next line, which comes every 50 ms; a router needs a moment first.
SETTLED_S = 3.0


@pytest.fixture
def synchronised(site: Site) -> Iterator[None]:
    """The nodes tell each other of their connections; afterwards no more."""
    _set_sync(site, wanted=True)
    eventually(lambda: all(_daemons(site, name) == {"master", "backup"} for name in NODES))
    yield
    _set_sync(site, wanted=False)
    eventually(lambda: not any(_daemons(site, name) for name in NODES))


def test_without_sync_flows_of_a_draining_member_die_with_their_node(balanced4: Balanced) -> None:
    assert died(balanced4) > 0


@pytest.mark.usefixtures("synchronised")
def test_with_sync_flows_of_a_draining_member_survive_their_node(balanced4: Balanced) -> None:
    assert died(balanced4) == 0


def died(vip: Balanced) -> int:
    """How many of the drained member's flows were lost when a node died."""
    site, lab = vip.site, vip.site.lab
    flows = lab.flows(CLIENT, vip.address, PORT, FLOWS)
    drained = flows.read()[0].backend
    with vip.drained(drained):
        begun = lab.clock()
        eventually(lambda: lab.clock() > begun + SETTLED_S)
        site.kill_node("lb1")
        killed = lab.clock()
        eventually(lambda: len(vip.next_hops()) == 1)
        eventually(lambda: lab.clock() > killed + SETTLED_S)
        concerned = [flow for flow in flows.stop() if flow.backend == drained]
        lost = sum(not flow.alive for flow in concerned)
        print(f"{lost} of {len(concerned)} flows of the draining member died with the node")
        site.revive_node("lb1")
    return lost


def _set_sync(site: Site, *, wanted: bool) -> None:
    site.admin.patch(f"/v1/clusters/{site.inventory.cluster}", {"connection_sync": wanted})


def _daemons(site: Site, name: str) -> set[str]:
    """Which of the two run, as ``ipvsadm`` lists them."""
    listed = site.lab.run(name, ["ipvsadm", "-Ln", "--daemon"]).stdout
    return {line.split()[0] for line in listed.splitlines() if "sync daemon" in line}
