"""A backend host's hops: out of the tunnel, to the program that answers, and back to the client past the nodes."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from lbaas.dataplane.link.desired import LinkTable, host_links, is_ours, receiving_v4
from lbaas.dataplane.sysctl.desired import HOST
from lbaas.domain.addresses import Address
from lbaas.explain.carried import asked, replied, wrapped
from lbaas.explain.drift import DRIFT
from lbaas.explain.firewall import firewall
from lbaas.explain.hops import Seen, Stage, Unseen
from lbaas.explain.others import INCOMING, OUTGOING, Finding, droppers
from lbaas.explain.packets import ESTABLISHED, NEW
from lbaas.explain.programs import programs_hop
from lbaas.explain.ways import Way
from lbaas.wire.explanation import Answer, FiveTuple, Hop
from lbaas.wire.state import HostState


@dataclass(frozen=True)
class HostSeen:
    """This host's kernel, as far as it concerns one VIP.

    *guard* is how our table lists, *expected* how it would. *rp_filters* are by device, ``all`` among them.
    *shut* are ports of GUE that are not open. *listening*: some socket takes the flow. *back* is the reply's way,
    *mtu* that of the device that the endpoints are on. *programs* are attached to devices.
    """

    links: Seen[LinkTable]
    guard: Seen[str | None]
    expected: str
    settings: Mapping[str, str | None]
    rp_filters: Mapping[str, int]
    shut: Seen[AbstractSet[int]]
    others: Seen[Mapping[str, str]]
    listening: bool | None
    back: Way | None
    mtu: int | None
    programs: Seen[tuple[str, ...]] = ()


def explain_host(machine: str, state: HostState, seen: HostSeen, wanted: FiveTuple) -> Answer:
    """What becomes of the packets at this host, and of the replies."""
    if wanted.vip not in state.vips:
        return Answer(hops=(nowhere(machine, state, wanted),))
    hops = [
        Stage(machine, "state").ok(f"revision {state.revision} names {wanted.vip}"),
        _guard(Stage(machine, "guard"), seen),
        *_tunnel(machine, state, seen, wanted),
        _return_path(Stage(machine, "rp_filter"), state, seen, wanted),
        *_arp(Stage(machine, "arp"), seen, wanted),
        *_firewall(Stage(machine, "firewall"), state, seen, wanted),
        programs_hop(Stage(machine, "programs"), seen.programs),
        *_program(Stage(machine, "program"), seen, wanted),
        _reply(Stage(machine, "reply"), seen, wanted),
    ]
    return Answer(hops=tuple(hops), mtu=seen.mtu)


def nowhere(machine: str, state: HostState, wanted: FiveTuple) -> Hop:
    """The VIP arrives at no place of this host."""
    if wanted.vip in state.vips:
        endpoints = ", ".join(map(str, state.arrivals.get(wanted.vip, state.endpoints)))
        return Stage(machine, "pods").broken(
            f"a pod here has an address at which {wanted.vip} arrives",
            f"none has {endpoints}",
            "the pod is gone, or its network namespace was not found: nobody answers there",
            "does the agent's --pods name where this machine's pods have their namespaces?",
        )
    return Stage(machine, "state").broken(
        f"the state names {wanted.vip}",
        f"revision {state.revision} has {len(state.vips)} others",
        "the host's agent does not know of this VIP: it takes no packets for it",
        "is a member at one of the host's addresses? else see why the agent hears nothing: its log",
    )


def _guard(stage: Stage, seen: HostSeen) -> Hop:
    desired = "the tunnel takes packets of the cluster's nodes, for our VIPs"
    if isinstance(seen.guard, Unseen):
        return stage.unknown(desired, seen.guard)
    if seen.guard is None:
        cause = "anybody may send tunnelled packets, and full-size segments don't fit the tunnel"
        return stage.suspect(desired, "there is no table inet lbaas_host", cause, DRIFT)
    if seen.guard != seen.expected:
        lost = _first_line(seen.expected, seen.guard)
        found = _first_line(seen.guard, seen.expected)
        cause = "a node or the VIP is missing, or a rule is not ours: packets are dropped"
        return stage.broken(f"{desired}: {lost}", found, cause, DRIFT)
    return stage.ok(desired)


def _first_line(of: str, beside: str) -> str:
    there = beside.splitlines()
    return next((line.strip() for line in of.splitlines() if line not in there), "no such line")


def _tunnel(machine: str, state: HostState, seen: HostSeen, wanted: FiveTuple) -> Iterator[Hop]:
    devices = Stage(machine, "tunnel")
    if isinstance(seen.links, Unseen):
        yield devices.unknown("the tunnel's devices are up", seen.links)
        return
    yield _devices(devices, host_links(state), seen.links)
    yield _alias(Stage(machine, "alias"), host_links(state), seen.links, wanted.vip)
    yield from _gue(Stage(machine, "gue"), seen.shut)


def _devices(stage: Stage, wants: LinkTable, held: LinkTable) -> Hop:
    desired = f"{', '.join(sorted(wants.devices))} up"
    missing = sorted(wants.devices - held.devices)
    if not missing:
        return stage.ok(desired)
    cause = "what comes out of the tunnel has no device to arrive at"
    return stage.broken(desired, f"missing or down: {', '.join(missing)}", cause, DRIFT)


def _alias(stage: Stage, wants: LinkTable, held: LinkTable, vip: Address) -> Hop:
    aliases = [each for each in wants.aliases if each.address == vip]
    desired = f"{vip} on {', '.join(sorted(each.device for each in aliases))}"
    lost = sorted(each.device for each in aliases if each not in held.aliases)
    if not lost:
        return stage.ok(desired)
    cause = "the host does not take the packets for its own: it drops them or sends them on"
    return stage.broken(desired, f"not on {', '.join(lost)}", cause, DRIFT)


def _gue(stage: Stage, shut: Seen[AbstractSet[int]]) -> Iterator[Hop]:
    if isinstance(shut, Unseen):
        yield stage.unknown("GUE is open", shut)
    elif shut:
        ports = ", ".join(map(str, sorted(shut)))
        cause = "packets in GUE are refused with an ICMP error"
        yield stage.broken(f"GUE is open on {ports}", "it is not", cause, DRIFT)


def _return_path(stage: Stage, state: HostState, seen: HostSeen, wanted: FiveTuple) -> Hop:
    if wanted.vip.version == 6:
        return stage.ok("IPv6 has no rp_filter")
    desired = "rp_filter is not strict (1) on tunnel devices"
    everywhere = seen.rp_filters.get("all", 0)
    strict = sorted(
        device
        for device in receiving_v4(host_links(state).devices)
        if max(everywhere, seen.rp_filters.get(device, 0)) == 1
    )
    if not strict:
        return stage.ok(desired)
    return stage.broken(
        desired,
        f"strict on {', '.join(strict)}",
        "the client is not reached through the tunnel, so each packet out of it is dropped",
        f"sysctl net.ipv4.conf.{strict[0]}.rp_filter=2; {DRIFT}",
    )


def _arp(stage: Stage, seen: HostSeen, wanted: FiveTuple) -> Iterator[Hop]:
    if wanted.vip.version == 6:
        return
    desired = ", ".join(f"{name.rpartition('.')[2]}={value}" for name, value in HOST.items())
    wrong = {
        name: seen.settings.get(name)
        for name, value in HOST.items()
        if seen.settings.get(name) != value
    }
    if not wrong:
        yield stage.ok(desired)
        return
    actual = ", ".join(f"{name.rpartition('.')[2]}={value}" for name, value in wrong.items())
    cause = "the host answers ARP for the VIP: neighbours may send it packets past the nodes"
    yield stage.broken(desired, actual, cause, f"sysctl -w the desired values; {DRIFT}")


def _firewall(stage: Stage, state: HostState, seen: HostSeen, wanted: FiveTuple) -> Iterator[Hop]:
    desired = "no firewall drops the tunnel, what is in it, or the reply"
    if isinstance(seen.others, Unseen):
        yield stage.unknown(desired, seen.others)
        return
    findings = [
        *droppers(seen.others, asked(wanted, NEW), INCOMING),
        *droppers(seen.others, replied(wanted, ESTABLISHED), OUTGOING),
        *_of_tunnels(seen.others, state, wanted),
    ]
    remedy = "accept the tunnel from the nodes (protocol 4, 41 or 47, or UDP), and the listener's ports at the VIP"
    yield firewall(stage, desired, findings, remedy)


def _of_tunnels(
    others: Mapping[str, str], state: HostState, wanted: FiveTuple
) -> Iterator[Finding]:
    """A host knows neither which of its tunnels the flow takes nor from which node: sure is what befalls all."""
    ways = [
        wrapped(wanted, tunnel, node, endpoint, NEW)
        for tunnel in state.tunnels
        for endpoint in state.endpoints
        for node in state.nodes
        if node.version == endpoint.version
    ]
    dropped = [list(droppers(others, way, INCOMING)) for way in ways]
    every = all(any(each.certain for each in found) for found in dropped)
    for finding in {each for found in dropped for each in found}:
        yield Finding(finding.what, finding.certain and every)


def _program(stage: Stage, seen: HostSeen, wanted: FiveTuple) -> Iterator[Hop]:
    desired = f"a program listens on {wanted.protocol}/{wanted.port}"
    if seen.listening is None:
        return
    if seen.listening:
        yield stage.ok(desired)
        return
    yield stage.suspect(
        desired,
        "no socket of this network namespace does",
        "the client is refused, unless something in another namespace answers",
        f"start the program on port {wanted.port}, at any address or at {wanted.vip}",
    )


def _reply(stage: Stage, seen: HostSeen, wanted: FiveTuple) -> Hop:
    desired = f"replies of {wanted.vip} leave for {wanted.client} by themselves"
    if seen.back is None:
        cause = "the host has no way to the client"
        return stage.broken(
            desired, "there is no route", cause, f"ip route get {wanted.client} from {wanted.vip}"
        )
    if is_ours(seen.back.device) or seen.back.device == "lo":
        cause = "the reply does not leave the host"
        return stage.broken(
            desired, str(seen.back), cause, f"ip route get {wanted.client} from {wanted.vip}"
        )
    return stage.ok(desired, str(seen.back))
