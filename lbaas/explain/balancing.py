"""A node's hops in IPVS and out: the service, the member, and the way there."""

from collections.abc import Iterator

from lbaas.dataplane.ipvs.desired import Service, ServiceKey
from lbaas.domain.addresses import Address
from lbaas.domain.terms import Forwarding
from lbaas.explain.choice import Choice, choice
from lbaas.explain.drift import DRIFT
from lbaas.explain.hops import Stage, Unseen
from lbaas.explain.members import members
from lbaas.explain.node_facts import NodeDesired, NodeSeen
from lbaas.explain.ways import Way
from lbaas.wire.explanation import FiveTuple, Hop
from lbaas.wire.state import VirtualService


def balancing(
    machine: str, desired: NodeDesired, seen: NodeSeen, key: ServiceKey, service: Service
) -> Iterator[Hop]:
    stage, what = Stage(machine, "service"), f"fwmark {key.mark:#x} {service.scheduler}"
    if isinstance(seen.services, Unseen):
        yield stage.unknown(what, seen.services)
        return
    held = seen.services.get(key)
    if held is None:
        yield stage.broken(
            what, "IPVS has none", "the node answers the packets itself: refused", DRIFT
        )
        return
    same = (held.scheduler, held.flags, held.persistence) == (
        service.scheduler,
        service.flags,
        service.persistence,
    )
    if same:
        yield stage.ok(what)
    else:
        actual = f"{held.scheduler} flags {held.flags:#x} {held.persistence or ''}"
        cause = "this node chooses otherwise than the others"
        yield stage.broken(
            f"{what} flags {service.flags:#x} {service.persistence or ''}", actual, cause, DRIFT
        )
    monitored = desired.service(key.mark).monitor is not None
    yield members(
        Stage(machine, "members"), held, service, doubtful=monitored and not desired.checked
    )


def chosen(seen: NodeSeen, key: ServiceKey, service: VirtualService, wanted: FiveTuple) -> Choice:
    held = {} if isinstance(seen.services, Unseen) else seen.services
    before = {each.address: each.weight for each in service.backends if each.weight}
    if key not in held:
        return Choice((), "there is no service to choose")
    return choice(held[key], wanted, before)


def choice_hop(machine: str, found: Choice, service: Service, wanted: FiveTuple) -> Hop:
    stage = Stage(machine, "choice")
    shares = ", ".join(f"{address} {share:.0%}" for address, share in found.shares.items())
    actual = shares or ", ".join(map(str, found.members)) or "nobody"
    if found.members:
        return stage.ok(f"a member for the flow ({found.why})", actual)
    return stage.broken(
        f"a member for {wanted}",
        actual,
        f"{found.why}: no member has a weight above 0"
        if service.destinations
        else "the pool is empty",
        "lbaas member list; see why members fail their checks: lbaas status",
    )


def forwarding(
    machine: str, seen: NodeSeen, found: Choice, service: VirtualService
) -> Iterator[Hop]:
    for member in found.members[:8]:
        yield _way(Stage(machine, "tunnel"), member, seen.ways.get(member), service)


def _way(stage: Stage, member: Address, way: Way | None, service: VirtualService) -> Hop:
    if service.forwarding is Forwarding.DIRECT:
        desired = f"{member} is on the same segment"
        if way is not None and way.gateway is not None:
            cause = "direct forwarding writes the member's MAC address: it can't cross a router"
            return stage.broken(desired, str(way), cause, "lbaas pool set --forwarding tunnel")
    else:
        desired = f"a route to {member}, for {service.tunnel.encapsulation}"
    if way is None:
        return stage.broken(
            desired,
            "there is no route",
            "packets can't leave for the member",
            f"ip route get {member}",
        )
    return stage.ok(desired, str(way))


def mtu(seen: NodeSeen, found: Choice) -> int | None:
    ways = (seen.ways.get(member) for member in found.members)
    return min((way.mtu for way in ways if way is not None), default=None)
