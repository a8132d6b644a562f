"""A node's hops: from the announcement that draws a client's packets to the tunnel that takes them on."""

from lbaas.dataplane.ipvs.desired import Service, ServiceKey, service_table
from lbaas.explain.announcing import announcing
from lbaas.explain.balancing import balancing, choice_hop, chosen, forwarding, mtu
from lbaas.explain.hops import Stage
from lbaas.explain.marking import marking
from lbaas.explain.node_facts import NodeDesired, NodeSeen
from lbaas.explain.surroundings import surroundings
from lbaas.wire.explanation import Answer, FiveTuple, Hop
from lbaas.wire.state import ClusterState

# Of the members that a flow may go to, so many are looked at.
MOST_MEMBERS = 8


def explain_node(machine: str, desired: NodeDesired, seen: NodeSeen, wanted: FiveTuple) -> Answer:
    """What becomes of the packets at this node."""
    if not desired.state.vips:
        return Answer(hops=(_no_vip(machine, desired.state.revision, wanted),))
    flow = desired.flow(wanted)
    hops = [_state(machine, desired), *announcing(machine, desired, seen, wanted)]
    if flow is None:
        return Answer(hops=(*hops, _no_listener(machine, desired.state, wanted)))
    service = _shall(desired, flow.mark)
    hops += marking(machine, desired, seen, wanted, flow)
    key = ServiceKey(wanted.vip.version, flow.mark)
    hops += balancing(machine, desired, seen, key, service)
    found = chosen(seen, key, desired.service(flow.mark), wanted)
    hops.append(choice_hop(machine, found, service, wanted))
    hops += forwarding(machine, seen, found, desired.service(flow.mark))
    served = desired.service(flow.mark)
    hops += surroundings(machine, seen, wanted, served, found.members[:MOST_MEMBERS])
    return Answer(hops=tuple(hops), members=found.members, mtu=mtu(seen, found))


def _shall(desired: NodeDesired, mark: int) -> Service:
    """The service as it shall be in the kernel, with what the checks make of it."""
    effective = [each for each in desired.effective if each.mark == mark]
    (table,) = service_table(
        desired.state.model_copy(update={"services": tuple(effective)})
    ).values()
    return table


def _no_vip(machine: str, revision: int, wanted: FiveTuple) -> Hop:
    return Stage(machine, "state").broken(
        f"the state names {wanted.vip}",
        f"revision {revision} does not",
        "the node's agent does not know of this VIP",
        "is the VIP of this cluster? else see why the agent hears nothing: lbaas status, and its log",
    )


def _no_listener(machine: str, state: ClusterState, wanted: FiveTuple) -> Hop:
    ports = ", ".join(
        f"{each.protocol}/{each.ports.first}"
        + (f"-{each.ports.last}" if each.ports.last > each.ports.first else "")
        for each in state.flows
    )
    return Stage(machine, "listener").broken(
        f"a listener for {wanted.protocol}/{wanted.port}",
        f"there are {ports or 'none'}",
        f"nothing listens on {wanted.protocol}/{wanted.port} of {wanted.vip}: nodes refuse the packets",
        "add a listener, or ask for a port that has one",
    )


def _state(machine: str, desired: NodeDesired) -> Hop:
    stage = Stage(machine, "state")
    revision = f"revision {desired.state.revision}"
    if desired.settings is None:
        return stage.broken(
            "the cluster's state names this node",
            f"{revision} does not",
            "the node was deleted, or its token is another node's",
            "add the node anew and give its agent the new token",
        )
    return stage.ok(f"{revision}, the node is {desired.settings.admin_state}")
