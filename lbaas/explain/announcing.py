"""A node's hops before its door: whom routers hear, and of what."""

from collections.abc import Iterator

from lbaas.dataplane.bird.desired import peer_protocol
from lbaas.domain.addresses import Prefix, host_prefix
from lbaas.domain.terms import NodeAdminState
from lbaas.explain.drift import DRIFT
from lbaas.explain.hops import Stage, Unseen
from lbaas.explain.node_facts import Announced, NodeDesired, NodeSeen
from lbaas.wire.explanation import FiveTuple, Hop
from lbaas.wire.state import Peer


def announcing(
    machine: str, desired: NodeDesired, seen: NodeSeen, wanted: FiveTuple
) -> Iterator[Hop]:
    stage = Stage(machine, "announcement")
    prefix = host_prefix(wanted.vip)
    if isinstance(seen.bird, Unseen):
        yield stage.broken(
            f"BIRD announces {prefix}" if desired.announced else f"{prefix} is not announced",
            "BIRD does not answer",
            seen.bird.cause,
            "systemctl status bird; is --bird-socket the one it listens on?",
        )
        return
    yield _announcement(stage, desired, seen.bird, prefix)
    if desired.announced:
        peers = [each for each in desired.state.peers if each.address.version == prefix.version]
        for peer in peers:
            yield from _session(machine, peer, seen.bird, prefix)
        if not peers:
            yield Stage(machine, "session").broken(
                f"a peer over IPv{prefix.version}",
                "there is none",
                f"the cluster has no router with an IPv{prefix.version} address: nobody hears of {prefix}",
                "lbaas peer create",
            )


def _announcement(stage: Stage, desired: NodeDesired, bird: Announced, prefix: Prefix) -> Hop:
    announced = prefix in bird.loaded
    actual = f"BIRD has {prefix}" if announced else f"BIRD does not have {prefix}"
    if desired.announced == announced:
        return stage.ok(
            f"{prefix} is {'' if announced else 'not '}announced{_because(desired)}", actual
        )
    if desired.announced:
        return stage.broken(
            f"{prefix} is announced",
            actual,
            "routers send this node nothing for the VIP: our include file is missing, or not loaded",
            f"birdc configure check; does bird.conf include our file? {DRIFT}",
        )
    if not desired.checked and any(each.monitor for each in desired.state.services):
        return stage.ok(f"{prefix} may be announced", actual)
    return stage.broken(
        f"{prefix} is not announced{_because(desired)}",
        actual,
        "routers still choose this node",
        DRIFT,
    )


def _because(desired: NodeDesired) -> str:
    if desired.settings is not None and desired.settings.admin_state is not NodeAdminState.ACTIVE:
        return f": the node is {desired.settings.admin_state}, routers choose others"
    if desired.withdrawn:
        return ": no member passes its checks, and the VIP says withdraw"
    if desired.state.announced:
        return ""
    if any(service.local for service in desired.state.services):
        return ": the pool is local, and no member that takes flows is on this node"
    return ": the VIP has no listener"


def _session(machine: str, peer: Peer, bird: Announced, prefix: Prefix) -> Iterator[Hop]:
    name = peer_protocol(peer.address)
    state = bird.sessions.get(name, "absent")
    established = state == "Established"
    if peer.bfd:
        yield from _bfd(Stage(machine, "bfd"), peer, bird, established=established)
    stage, desired = Stage(machine, "session"), f"BGP with {peer.name} ({peer.address}) is up"
    if established:
        yield stage.ok(desired)
        yield _export(Stage(machine, "export"), peer, bird, prefix)
        return
    yield stage.broken(
        desired,
        f"{name} is {state}",
        f"{peer.name} hears of nothing from this node",
        f"birdc show protocols all {name}: is it disabled? address, AS number, password, TCP 179",
    )


def _bfd(stage: Stage, peer: Peer, bird: Announced, *, established: bool) -> Iterator[Hop]:
    """BIRD looks for a peer by BFD while it speaks to it, and forgets that when it is told to stop."""
    found = bird.bfd.get(peer.address)
    desired, actual = f"BFD with {peer.address} is up", f"BFD is {found or 'absent'}"
    remedy = f"birdc show bfd sessions; is UDP 3784 open between here and {peer.address}?"
    if found == "Up":
        yield stage.ok(desired)
    elif established:
        cause = "a silent loss is noticed only when BGP's hold time is over"
        yield stage.suspect(desired, actual, cause, remedy)
    elif found is not None:
        cause = "the router is not heard: BFD takes the BGP session down"
        yield stage.broken(desired, actual, cause, remedy)


def _export(stage: Stage, peer: Peer, bird: Announced, prefix: Prefix) -> Hop:
    desired = f"{peer.name} is told of {prefix}"
    if bird.exported.get(peer_protocol(peer.address), False):
        return stage.ok(desired)
    return stage.broken(
        desired,
        "it is not",
        "BIRD holds the route back: a filter of somebody else's, or a session that reloads",
        f"birdc show route {prefix} all; birdc show protocols all {peer_protocol(peer.address)}",
    )
